import { connect, type Socket } from 'node:net';

/** HTTP as bytes: what no client library would send, and exactly what comes back. */

export type RawAnswer = { status: number; headers: Record<string, string>; body: string };

export type RawConnection = {
  socket: Socket;
  /** Everything received so far. */
  received(): string;
  send(bytes: string | Uint8Array): void;
  /** Resolves with the next `count` whole answers (all that come in `withinMs`, if fewer). */
  answers(count?: number, options?: { isHead?: boolean; withinMs?: number }): Promise<RawAnswer[]>;
  /** Resolves when the other side has closed, with whether it did within `withinMs`. */
  closed(withinMs?: number): Promise<boolean>;
  destroy(): void;
};

/** Opens a connection to 127.0.0.1, from there or from another address of the machine. */
export async function openRaw(port: number, localAddress = '127.0.0.1'): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  let text = '';
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
  });
  const until = async (done: () => boolean, withinMs: number): Promise<boolean> => {
    if (done()) return true;
    return await new Promise<boolean>((resolve) => {
      const look = () => {
        if (done()) finish(true);
      };
      const finish = (isDone: boolean) => {
        clearTimeout(timer);
        socket.off('data', look).off('close', look);
        resolve(isDone);
      };
      const timer = setTimeout(() => finish(false), withinMs);
      socket.on('data', look).on('close', look);
    });
  };
  return {
    socket,
    received: () => text,
    send: (bytes) => socket.write(bytes),
    async answers(count = 1, { isHead = false, withinMs = 20_000 } = {}) {
      await until(() => isClosed || parseAnswers(text, isHead).answers.length >= count, withinMs);
      const parsed = parseAnswers(text, isHead);
      text = parsed.rest;
      return parsed.answers;
    },
    closed: (withinMs = 20_000) => until(() => isClosed, withinMs),
    destroy: () => socket.destroy(),
  };
}

/** Sends `bytes` on a connection of its own and resolves with the first answer. Throws if none comes. */
export async function rawHttp(
  port: number,
  bytes: string | Uint8Array,
  options: { isHead?: boolean } = {},
): Promise<RawAnswer> {
  const connection = await openRaw(port);
  try {
    connection.send(bytes);
    const [answer] = await connection.answers(1, options);
    if (answer === undefined) throw new Error(`No answer: ${JSON.stringify(connection.received())}`);
    return answer;
  } finally {
    connection.destroy();
  }
}

/** The text of a request; `content-length` is added for a body unless given. */
export function requestText(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = '',
): string {
  const all: Record<string, string> = { host: 'duet.test', ...headers };
  if (body !== '' && all['content-length'] === undefined && all['transfer-encoding'] === undefined) {
    all['content-length'] = String(Buffer.byteLength(body));
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

function parseAnswers(text: string, isHead: boolean): { answers: RawAnswer[]; rest: string } {
  const answers: RawAnswer[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return { answers, rest };
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
    }
    const status = Number(statusLine.split(' ')[1]);
    const hasBody = !isHead && status !== 204 && status !== 304;
    // The server's own 400 to unreadable requests has no length: it ends with the connection.
    const length = hasBody ? Number(headers['content-length'] ?? rest.length - end - 4) : 0;
    if (rest.length < end + 4 + length) return { answers, rest };
    const body = Buffer.from(rest.slice(end + 4, end + 4 + length), 'latin1').toString('utf8');
    answers.push({ status, headers, body });
    rest = rest.slice(end + 4 + length);
  }
}
