import { connect, createServer, type Server, type Socket } from 'node:net';

/** `ReadyForQuery` of an idle connection (PostgreSQL, "Message Formats"): what was asked is done, and committed. */
const DONE = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/**
 * A way to PostgreSQL that loses an answer when it is told to: the commit is done, and nobody is told so. Or nothing
 * passes any more, though every connection stays open.
 */
export class FickleWay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #statement: Buffer | undefined;
  #onLost: (() => void) | undefined;
  #isStalled = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Opens one to the database of `url`; resolves with it and the URL by which the database is reached through it. */
  static async to(url: string): Promise<{ way: FickleWay; url: string }> {
    const { hostname, port } = new URL(url);
    const server = createServer();
    const way = new FickleWay(server);
    server.on('connection', (from) => way.#join(from, connect(Number(port), hostname)));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    if (typeof address === 'string' || address === null) throw new Error('no port');
    const through = new URL(url);
    through.host = `127.0.0.1:${address.port}`;
    return { way, url: through.href };
  }

  /**
   * The next time that the statement of this name runs, its connection breaks once its transaction is committed,
   * before anybody is told. Resolves when it has.
   */
  lose(statement: string): Promise<void> {
    this.#statement = Buffer.from(`${statement}\0`);
    return new Promise((done) => {
      this.#onLost = done;
    });
  }

  /** From now on nothing passes, either way. */
  stall(): void {
    this.#isStalled = true;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #join(from: Socket, to: Socket): void {
    let isDoomed = false;
    for (const socket of [from, to]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        for (const other of [from, to]) {
          other.destroy();
          this.#sockets.delete(other);
        }
      });
    }
    from.on('data', (chunk) => {
      if (this.#isStalled) return;
      if (this.#statement !== undefined && chunk.includes(this.#statement)) {
        isDoomed = true;
        this.#statement = undefined;
      }
      to.write(chunk);
    });
    to.on('data', (chunk) => {
      if (this.#isStalled) return;
      if (!isDoomed || !chunk.includes(DONE)) return void from.write(chunk);
      from.destroy();
      this.#onLost?.();
    });
  }
}
