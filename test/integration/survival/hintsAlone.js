/** Preloaded into a server: until SIGUSR2, inboxes are not compared with the log, and what no hint tells stays untold. */
import { InboxHub } from '../../../src/events/InboxHub.ts';

const { reconcile } = InboxHub.prototype;
InboxHub.prototype.reconcile = async () => {};

process.on('SIGUSR2', () => {
  InboxHub.prototype.reconcile = reconcile;
  process.stdout.write('compared from now on\n');
});
