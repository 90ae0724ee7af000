import { pino } from 'pino';
import { describeError } from './failure.ts';

/** Structured logging: fields first, then a sentence. No secret, token, address or coordinate goes into either. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** The process's log: JSON lines on standard output. */
export function createLog(level: LogLevel): Log {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: describeError },
    // A last net under the rule above: these names never reach a line, wherever a careless caller puts them.
    redact: {
      paths: [
        'password',
        'token',
        'accessToken',
        'refreshToken',
        'email',
        'authorization',
        '*.password',
        '*.token',
        '*.email',
      ],
      censor: '[redacted]',
    },
  });
}
