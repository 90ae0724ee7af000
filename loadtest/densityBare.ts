/** uWebSockets.js with nothing on top: what a socket costs before anybody knows whose it is. Sends back what it gets. */
import { App, DISABLED, us_socket_local_port } from 'uWebSockets.js';
import { listenOn } from '../src/transport/uws.ts';

const app = App();
app.ws('/*', {
  compression: DISABLED,
  idleTimeout: 16,
  sendPingsAutomatically: true,
  message: (ws, message, isBinary) => void ws.send(message, isBinary, false),
});
const socket = await listenOn(app, '127.0.0.1', 0);
process.stdout.write(`http://127.0.0.1:${us_socket_local_port(socket)}\n`);
