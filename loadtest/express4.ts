/** As much of Express 4 and jsonwebtoken as the benchmarks use; they have no types of their own. */
import { createRequire } from 'node:module';
import { TOKEN_SECRET } from './serveRoutes.ts';

export interface ExpressApp {
  get(path: string, ...run: ExpressHandler[]): void;
  post(path: string, ...run: ExpressHandler[]): void;
  listen(port: number, host: string, fn: () => void): { address(): { port: number } };
}

export type ExpressHandler = (
  req: { params: Record<string, string>; headers: { authorization?: string }; body: unknown; userId: string },
  res: { json(value: unknown): void; status(status: number): { end(): void } },
  next: (error?: unknown) => void,
) => void;

interface JsonWebToken {
  verify(token: string, secret: string, options: { algorithms: string[] }): { sub: string };
}

const require = createRequire(import.meta.url);
const express = require('express4') as { (): ExpressApp; json(): ExpressHandler };
const { verify } = require('jsonwebtoken') as JsonWebToken;

export const createExpress = express;
export const jsonBody = express.json();

/** The usual middleware: whose token it is, checked each time. */
export const signedIn: ExpressHandler = (req, res, next) => {
  try {
    const token = (req.headers.authorization ?? '').slice('Bearer '.length);
    req.userId = verify(token, TOKEN_SECRET, { algorithms: ['HS256'] }).sub;
  } catch {
    res.status(401).end();
    return;
  }
  next();
};

/** Resolves with the port. */
export function listen(app: ExpressApp): Promise<number> {
  return new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}
