import { type AuthContext, type Client, matchMaker, Room, Server } from '@colyseus/core';
import { type SchemaType, schema, t } from '@colyseus/schema';
import { SystemClock } from '../../../src/clock.ts';
import { DuetError } from '../../../src/errors.ts';
import { HardenedTransport, type TransportOptions } from '../../../src/transport/HardenedTransport.ts';
import { ALLOWED_ORIGIN, MemoryLog } from '../../support/testDoor.ts';

const FakeState = schema({ count: t.int32(), text: t.string() }, 'FakeState');
type FakeState = SchemaType<typeof FakeState>;

/** A room that does what a test asks for. */
export class FakeRoom extends Room {
  override state: FakeState = new FakeState();
  contexts: AuthContext[] = [];
  left: number[] = [];
  joinBehaviour: 'let in' | 'hang' | 'refuse' | 'fail' | 'break' = 'let in';

  override onCreate(): void {
    this.autoDispose = false;
    this.patchRate = 2 ** 31 - 1;
    this.onMessage('throw', () => {
      throw new Error('secret of the handler');
    });
    this.onMessageBytes('relay', async (client: Client, bytes: Uint8Array) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      client.sendBytes('relayed', bytes);
    });
    this.onMessage('count', (client: Client, to: number) => {
      for (let i = 1; i <= to; i++) {
        this.state.count = i;
        this.broadcastPatch();
        client.send('counted', i);
      }
    });
    this.onMessage('flood', (client: Client, frames: number) => {
      const piece = new Uint8Array(64 * 1024);
      for (let i = 0; i < frames; i++) client.sendBytes('piece', piece);
    });
  }

  override async onAuth(_client: Client, _options: unknown, context: AuthContext): Promise<boolean> {
    this.contexts.push(context);
    if (this.joinBehaviour === 'hang') await new Promise(() => {});
    if (this.joinBehaviour === 'refuse') throw new DuetError('ACCOUNT_SUSPENDED');
    if (this.joinBehaviour === 'fail') throw Object.assign(new Error('select secret'), { code: '57P01' });
    if (this.joinBehaviour === 'break') throw new Error('select secret');
    return true;
  }

  override onLeave(_client: Client, code?: number): void {
    this.left.push(code ?? 0);
  }
}

export type FakeServer = AsyncDisposable & {
  port: number;
  transport: HardenedTransport;
  log: MemoryLog;
  room: FakeRoom;
  /** Path and query of a socket to the room, on a seat of its own. */
  seat(): Promise<string>;
};

/** Colyseus with one `FakeRoom`, on a free port. */
export async function startFakeServer(options: Partial<TransportOptions> = {}): Promise<FakeServer> {
  const log = new MemoryLog();
  const transport = new HardenedTransport({
    findRoom: (roomId) => matchMaker.getLocalRoomById(roomId),
    allowedOrigins: new Set([ALLOWED_ORIGIN]),
    trustedProxies: [],
    socketLimits: { perUser: 20, perAddress: 200 },
    log,
    clock: new SystemClock(),
    ...options,
  });
  const quiet = { debug() {}, info() {}, log() {}, warn() {}, error() {} };
  const server = new Server({ transport, gracefullyShutdown: false, greet: false, logger: quiet });
  server.define('fake', FakeRoom);
  await server.listen(0, '127.0.0.1');
  const listing = await matchMaker.createRoom('fake', {});
  const { roomId, processId } = listing;
  const room = matchMaker.getLocalRoomById(roomId) as FakeRoom;
  return {
    port: transport.port,
    transport,
    log,
    room,
    async seat() {
      const { sessionId } = await matchMaker.reserveSeatFor(listing, {});
      return `/${processId}/${roomId}?sessionId=${sessionId}`;
    },
    async [Symbol.asyncDispose]() {
      await room.disconnect();
      transport.close();
    },
  };
}
