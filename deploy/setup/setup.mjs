// npm run setup: everything that npm start does before it starts the server, for images and caches.
import { run } from './entry.mjs';
import { prepareAll } from './prepare.mjs';

await run(async () => {
  const { node, env } = await prepareAll();
  console.log(`Ready. Node.js: ${node}, media worker: ${env.MEDIASOUP_WORKER_BIN}`);
  return 0;
});
