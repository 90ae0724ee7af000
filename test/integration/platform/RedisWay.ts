import { connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a Redis, which misbehaves when it is told to. */
export class RedisWay {
  readonly #server: Server;
  readonly #wires = new Set<{ from: Socket; to: Socket; isHushed: boolean }>();
  #slams = false;
  /** Where the connections that are yet to be made lead. */
  target: number;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.target = target;
  }

  static async to(port: number): Promise<RedisWay> {
    const server = createServer();
    const way = new RedisWay(server, port);
    server.on('connection', (from) => way.#join(from));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return way;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#wires.size;
  }

  /** Closes what is open, and until `let` whatever is opened, soon after it was accepted. */
  slam(): void {
    this.#slams = true;
    this.break();
  }

  /** What is opened passes again. */
  let(): void {
    this.#slams = false;
  }

  /** Closes what is open. */
  break(): void {
    for (const { from } of this.#wires) from.destroy();
  }

  /** On what is open nothing passes any more, and nobody is told. */
  hush(): void {
    for (const wire of this.#wires) wire.isHushed = true;
  }

  close(): void {
    this.break();
    this.#server.close();
  }

  #join(from: Socket): void {
    from.on('error', () => {});
    if (this.#slams) {
      setTimeout(() => from.destroy(), 5);
      return;
    }
    const to = connect(this.target, '127.0.0.1');
    const wire = { from, to, isHushed: false };
    this.#wires.add(wire);
    to.on('error', () => {});
    for (const socket of [from, to])
      socket.once('close', () => {
        from.destroy();
        to.destroy();
        this.#wires.delete(wire);
      });
    from.on('data', (chunk) => wire.isHushed || to.write(chunk));
    to.on('data', (chunk) => wire.isHushed || from.write(chunk));
  }
}
