/**
 * The program of the hashing process (see `HashingProcess`): answers each request with a hash or a verdict, and ends
 * when the server that started it is gone, however that happened.
 */
import { argon2id, hash, verify } from 'argon2';

export type HashingRequest =
  | { id: number; kind: 'hash'; password: string }
  | { id: number; kind: 'verify'; password: string; stored: string };

/** `result`: the PHC string, or whether the password fits. Without it the work failed; why stays in the process. */
export type HashingAnswer = { id: number; result?: string | boolean };

/** OWASP's recommendation for argon2id: 19 MiB, 2 passes, 1 lane: about 25 ms of one core. */
export const PARAMETERS = { type: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

// Imported for the parameters and types, this file does nothing.
if (process.send !== undefined && import.meta.main) {
  process.on('message', async (request: HashingRequest) => {
    const result = await work(request).catch(() => undefined);
    const answer: HashingAnswer = { id: request.id, ...(result === undefined ? {} : { result }) };
    if (process.connected) process.send!(answer);
  });
}

function work(request: HashingRequest): Promise<string | boolean> {
  return request.kind === 'hash'
    ? hash(request.password, PARAMETERS)
    : verify(request.stored, request.password);
}
