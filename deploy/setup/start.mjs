// npm start: brings Duet up. npm run dev (--watch): the same, and again on every change.
import { run } from './entry.mjs';
import { runInForeground } from './foreground.mjs';
import { VITE_BUILD } from './page.mjs';
import { prepareAll } from './prepare.mjs';

const SERVER = ['--env-file-if-exists=.env', 'src/main.ts'];

await run(async (args) => {
  const { node, env } = await prepareAll();
  if (!args.includes('--watch')) return runInForeground(node, [SERVER], { env, endWithParent: true });
  const server = ['--watch', '--watch-preserve-output', ...SERVER];
  return runInForeground(node, [server, [...VITE_BUILD, '--watch', '--logLevel', 'warn']], { env });
});
