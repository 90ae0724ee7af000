/** A server reduced to its media workers, for `workers.test.ts` to send signals to. Prints their process ids. */
import { startWorkers } from './harness.ts';

process.on('SIGINT', () => console.log('interrupted'));
const workers = await startWorkers({ count: 2 });
console.log(workers.processes.map(({ worker }) => worker.pid).join(' '));
