import type { HttpRequest, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
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
