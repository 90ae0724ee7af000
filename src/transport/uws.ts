import type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import * as uws from 'uWebSockets.js';

/**
 * What uWebSockets.js can do and its types do not say. Each has a contract test.
 */

// LIBUS_LISTEN_EXCLUSIVE_PORT: without it a second process may listen on the same port and take half the clients.
const EXCLUSIVE_PORT = 1;

/** Listens on one address of the machine. Resolves with the socket; rejects if the address cannot be had. */
export function listenOn(app: TemplatedApp, host: string, port: number): Promise<us_listen_socket> {
  return new Promise((resolve, reject) => {
    // The types know host and port or port and options, the function takes all three.
    const listen = app.listen as unknown as (
      this: TemplatedApp,
      host: string,
      port: number,
      options: number,
      opened: (socket: us_listen_socket | false) => void,
    ) => void;
    listen.call(app, host, port, EXCLUSIVE_PORT, (socket) => {
      if (socket !== false) resolve(socket);
      else
        reject(
          new Error(
            `Cannot listen on ${host}:${port}: it is taken, or not an address of this machine. Set PORT or HOST.`,
          ),
        );
    });
  });
}

/**
 * Tells of each connection: `change` is 1 when it opens, when it may be closed at once, and -1 when it has closed, unless
 * it was upgraded to a socket by then.
 */
export function onConnection(app: TemplatedApp, run: (res: HttpResponse, change: number) => void): void {
  (app as TemplatedApp & { filter(run: (res: HttpResponse, change: number) => void): void }).filter(run);
}

/** How long the head of a connection's first request may take, and each 16 KB/s of a body. 30 by default; up to 4 s less. */
export function setIdleTimeout(app: TemplatedApp, seconds: number): void {
  (app as TemplatedApp & { setIdleTimeout(seconds: number): void }).setIdleTimeout(seconds);
}

/** Leaves out the header that names the server and its version, in this process from now on. */
export function silenceBanner(): void {
  const { _cfg } = (uws as unknown as { default: { _cfg?: (key: string) => void } }).default;
  _cfg?.('999999990007');
}

/**
 * All values of a header, in order, as one list (RFC 9110 section 5.3). `getHeader` gives the first line only, and of
 * X-Forwarded-For that would be the client's own: some proxies append a line, not a value.
 */
export function headerList(req: HttpRequest, name: string): string {
  const values: string[] = [];
  req.forEach((key, value) => {
    if (key === name) values.push(value);
  });
  return values.join(',');
}
