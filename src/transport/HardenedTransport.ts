import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from 'uWebSockets.js';
import * as uws from 'uWebSockets.js';
import { ClientState, CloseCode, connectClientToRoom, type Room, Transport } from '@colyseus/core';
import type { Timer } from '../clock.ts';
import { DuetError, isRefusal } from '../errors.ts';
import { Admission, type AdmissionOptions, type Admitted, type Arrival } from './Admission.ts';
import { type ConnectionOptions, Connections } from './Connections.ts';
import { FrameQueues } from './FrameQueue.ts';
import { TrustedProxies } from './peerAddress.ts';
import { RoomClient, RoomSocket } from './RoomSocket.ts';
import { joinFailure, joinRefusal, refuse } from './refusals.ts';
import { listenOn, setIdleTimeout, silenceBanner } from './uws.ts';

export type TransportOptions = ConnectionOptions &
  AdmissionOptions & {
    /** The room of this process with this id. */
    findRoom(roomId: string): Room | undefined;
    /** A peer that has not been heard of for so long (pings included) is gone; 4 s more or less, 8 at least. 16. */
    idleTimeoutSec?: number;
    /** Rooms in which nobody waits for anybody: their sockets may be silent for longer. None, by default. */
    isPatient?(roomId: string): boolean;
  };

type UserData = Admitted & { socket?: RoomSocket };

/** The largest message a client may send; a larger one closes its socket with 1009. */
const MAX_MESSAGE_BYTES = 64 * 1024;
/**
 * What uWebSockets.js takes in of one message, so that there is somebody to tell: beyond this it cuts the connection
 * without a word. Gathered as it arrives, and by no more sockets at once than a person and an address may have.
 */
const MAX_PAYLOAD_BYTES = 256 * 1024;
/** What may wait for a client that reads slowly; beyond it the socket is closed. */
const MAX_BACKPRESSURE_BYTES = 512 * 1024;
/** How long sockets of patient rooms may be silent: most of what an idle one costs is pings, and proxies cut off after a minute. */
const PATIENT_IDLE_TIMEOUT_SEC = 60;
/** A socket must have a seat in a room within this. */
const JOIN_TIMEOUT_MS = 2_000;
/** A seated client must acknowledge within this; a phone on a bad network takes its time. */
const ACKNOWLEDGE_TIMEOUT_MS = 10_000;
/** The head of a connection's first request must be there within this. Bodies have limits of their own. */
const HEAD_TIMEOUT_SEC = 12;
// RFC 6455 section 7.4.1: data of a type that the endpoint cannot accept (Colyseus speaks binary only), and a message that
// is too big for it.
const UNSUPPORTED_DATA = 1003;
const TOO_BIG = 1009;

/**
 * Colyseus' transport on uWebSockets.js.
 *
 * It stands beside the stock `uWebSocketsTransport`, not on it: that one registers its socket handlers in its
 * constructor, as closures, so a subclass could mend none of what matters here (which addresses upgrade, whose word
 * about the client's address is taken, who owns a message's memory, where a throwing handler ends). What is shared
 * is its client class, and of the core `connectClientToRoom`: the steps from a socket to a seat.
 */
export class HardenedTransport extends Transport {
  /** The application that HTTP routes are put on. */
  readonly app: TemplatedApp;
  readonly #options: TransportOptions;
  readonly #queues = new FrameQueues();
  readonly #sockets = new Map<RoomSocket, RoomClient>();
  readonly #connections: Connections;
  readonly #admission: Admission;
  // One function for all sockets.
  readonly #leaveFailed = (error: unknown) => {
    this.#options.log.error({ err: error }, 'A room failed while a client left.');
  };
  #listening: us_listen_socket | undefined;
  #closed = false;

  constructor(options: TransportOptions) {
    super();
    this.#options = options;
    const proxies = new TrustedProxies(options.trustedProxies);
    this.#admission = new Admission(options, proxies);
    silenceBanner();
    this.app = uws.App();
    setIdleTimeout(this.app, HEAD_TIMEOUT_SEC);
    this.#connections = new Connections(this.app, proxies, options);
    // uWebSockets.js knows one time-out a route; the narrower route is asked first and may pass.
    this.app.ws<UserData>('/:processId/:roomId', {
      ...this.#behaviour(PATIENT_IDLE_TIMEOUT_SEC),
      upgrade: (res, req, context) => {
        if (options.isPatient?.(req.getParameter(1) ?? '')) this.#upgrade(res, req, context);
        else req.setYield(true);
      },
    });
    this.app.ws<UserData>('/*', this.#behaviour(options.idleTimeoutSec ?? 16));
  }

  /** Sockets that are open now, joined or not. */
  get socketCount(): number {
    return this.#sockets.size;
  }

  /** The port that is listened on; -1 when none is. */
  get port(): number {
    return this.#listening === undefined ? -1 : uws.us_socket_local_port(this.#listening);
  }

  /** Listens on one address. Resolves with the port, rejects if it is taken: no two processes share one. */
  async open(port: number, host: string): Promise<number> {
    this.#listening = await listenOn(this.app, host, port);
    return this.port;
  }

  /** As Colyseus' `Server.listen` calls it: the callback gets the error, if any. */
  override listen(
    port: number | string,
    host = '127.0.0.1',
    _backlog?: number,
    done?: (error?: Error) => void,
  ): this {
    this.open(Number(port), host).then(
      () => done?.(),
      (error: Error) => done?.(error),
    );
    return this;
  }

  /** Takes no new connection any more; those that are open stay. */
  override shutdown(): void {
    if (this.#listening === undefined) return;
    uws.us_listen_socket_close(this.#listening);
    this.#listening = undefined;
  }

  /** Closes every socket with `code`, after what waits to be sent to it. */
  closeAllSockets(code: number = CloseCode.SERVER_SHUTDOWN): void {
    for (const client of [...this.#sockets.values()]) client.leave(code);
  }

  /** Ends everything, requests under way included. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.shutdown();
    this.closeAllSockets();
    this.app.close();
  }

  /** Colyseus' own routes (matchmaking, a banner at `/`, a health check) are not served: seats come from our API. */
  override bindRouter(): void {}

  /** For games; calls are tested over real networks. */
  override simulateLatency(): void {}

  #behaviour(idleTimeoutSec: number): uws.WebSocketBehavior<UserData> {
    return {
      compression: uws.DISABLED,
      maxPayloadLength: MAX_PAYLOAD_BYTES,
      maxBackpressure: MAX_BACKPRESSURE_BYTES,
      closeOnBackpressureLimit: true,
      idleTimeout: idleTimeoutSec,
      sendPingsAutomatically: true,
      maxLifetime: 0,
      upgrade: (res, req, context) => this.#upgrade(res, req, context),
      open: (ws) => this.#opened(ws),
      message: (ws, message, isBinary) => this.#received(ws, message, isBinary),
      close: (ws, code) => this.#wasClosed(ws, code),
    };
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const admitted = this.#admission.admit(res, req);
    if (isRefusal(admitted)) {
      refuse(res, admitted.refused);
      return;
    }
    // Neither a subprotocol nor an extension is agreed on: Colyseus uses none.
    res.upgrade<UserData>(admitted, req.getHeader('sec-websocket-key'), '', '', context);
  }

  #opened(ws: WebSocket<UserData>): void {
    const data = ws.getUserData();
    const arrival = data.arrival!;
    const { clock } = this.#options;
    this.#admission.opened(data);
    const socket = new RoomSocket(ws, this.#queues, this.#leaveFailed);
    const client = new RoomClient(arrival.ticket.sessionId, socket);
    data.socket = socket;
    this.#sockets.set(socket, client);
    let deadline: Timer = clock.after(JOIN_TIMEOUT_MS, () => client.leave(CloseCode.WITH_ERROR));
    const noDeadline = () => deadline.cancel();
    socket.on('close', noDeadline);
    this.#connect(client, arrival).then((joined) => {
      deadline.cancel();
      data.arrival = undefined;
      if (!joined || !this.#sockets.has(socket)) return;
      deadline = clock.after(ACKNOWLEDGE_TIMEOUT_MS, () => {
        // Whoever stays keeps nothing of how it came.
        socket.off('close', noDeadline);
        if (client.state === ClientState.JOINING) client.leave(CloseCode.WITH_ERROR);
      });
    });
  }

  /** Seats the client. Whatever goes wrong is told to it and closes its socket; never rejects. */
  async #connect(client: RoomClient, { ticket, context }: Arrival): Promise<boolean> {
    const { reconnectionToken, skipHandshake } = ticket;
    try {
      const room = this.#options.findRoom(ticket.roomId);
      await connectClientToRoom(room, client, context, { reconnectionToken, skipHandshake });
      return true;
    } catch (error) {
      const refusal = joinRefusal(error);
      if (refusal === undefined) this.#options.log.error({ err: error }, 'A join failed.');
      const { code, message } = refusal ?? joinFailure(error);
      client.error(code, message);
      client.leave(reconnectionToken === undefined ? CloseCode.WITH_ERROR : CloseCode.FAILED_TO_RECONNECT);
      return false;
    }
  }

  /** Nothing that a message makes a room throw gets past this: uWebSockets.js would end the process. */
  #received(ws: WebSocket<UserData>, message: ArrayBuffer, isBinary: boolean): void {
    const { socket } = ws.getUserData();
    if (socket === undefined) return;
    try {
      if (!isBinary) {
        this.#sockets.get(socket)?.leave(UNSUPPORTED_DATA);
        return;
      }
      if (message.byteLength > MAX_MESSAGE_BYTES) {
        this.#sockets.get(socket)?.leave(TOO_BIG);
        return;
      }
      if (socket.listenerCount('message') === 0) {
        this.#refuseUnheard(socket);
        return;
      }
      // Copied, once, here: uWebSockets.js takes the memory back when this returns, and handlers wait.
      socket.emit('message', Buffer.from(new Uint8Array(message)));
    } catch (error) {
      this.#options.log.warn({ err: error }, 'A message could not be handled; its client is closed.');
      this.#sockets.get(socket)?.leave(CloseCode.WITH_ERROR);
    }
  }

  /** The room has not said yet that the client is in. Nothing is kept until then, and nothing dropped in silence. */
  #refuseUnheard(socket: RoomSocket): void {
    const client = this.#sockets.get(socket);
    // One that is being sent off is not heard any more, and told so anyway.
    if (client?.state !== ClientState.JOINING) return;
    const { status, code } = new DuetError('CONFLICT');
    client.error(status, code);
    client.leave(CloseCode.WITH_ERROR);
  }

  #wasClosed(ws: WebSocket<UserData>, code: number): void {
    this.#connections.socketClosed();
    const data = ws.getUserData();
    const { socket } = data;
    if (socket === undefined) return;
    this.#admission.closed(data);
    this.#sockets.delete(socket);
    socket.queue.close();
    try {
      socket.emit('close', code);
    } catch (error) {
      this.#leaveFailed(error);
    }
  }
}
