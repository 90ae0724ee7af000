/**
 * Preloaded into a server, what slips through every net: SIGUSR2 is a rejection that nobody waits for and something printed by
 * a library, SIGHUP an exception that nobody catches.
 */
const slip = () =>
  Object.assign(new Error("insert into people values ('ann@example.org')"), { code: '23505' });

process.on('SIGUSR2', () => {
  console.warn('{}');
  Promise.reject(slip());
});
process.on('SIGHUP', () => {
  throw slip();
});
