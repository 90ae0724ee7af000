/**
 * The peer of `delivery.ts`: uWebSockets.js with nothing on top, that reads each message as JSON and writes it as JSON
 * to the other of two. Who connects first to `/<pair>` and who second are the two.
 */
import { App, DISABLED, us_socket_local_port, type WebSocket } from 'uWebSockets.js';
import { listenOn } from '../src/transport/uws.ts';

interface Seat {
  pair: string;
}

const pairs = new Map<string, WebSocket<Seat>[]>();
const text = new TextDecoder();
const app = App();
app.ws<Seat>('/:pair', {
  compression: DISABLED,
  idleTimeout: 16,
  sendPingsAutomatically: true,
  upgrade: (res, req, context) =>
    res.upgrade({ pair: req.getParameter(0)! }, req.getHeader('sec-websocket-key'), '', '', context),
  open: (ws) => {
    const { pair } = ws.getUserData();
    pairs.set(pair, [...(pairs.get(pair) ?? []), ws]);
  },
  message: (ws, message) => {
    const { type, payload } = JSON.parse(text.decode(message));
    const { pair } = ws.getUserData();
    const [one, other] = pairs.get(pair)!;
    (ws === one ? other : one)?.send(JSON.stringify({ type, payload: { userId: pair, ...payload } }), true);
  },
  close: (ws) => void pairs.delete(ws.getUserData().pair),
});
const socket = await listenOn(app, '127.0.0.1', 0);
process.stdout.write(`http://127.0.0.1:${us_socket_local_port(socket)}\n`);
