import { connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a TCP server whose connections can be cut without a word: nothing passes any more, and nobody is told. */
export class CutWay {
  readonly #server: Server;
  readonly #wires = new Set<readonly [Socket, Socket]>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<CutWay> {
    const server = createServer();
    const way = new CutWay(server);
    server.on('connection', (from) => way.#join(from, connect(port, '127.0.0.1')));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return way;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** The URL by which a database is reached this way. */
  urlOf(database: string): string {
    const url = new URL(database);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  /** Cuts those that are open; later ones pass. What is returned mends them. */
  cut(): () => void {
    return this.#cut([...this.#wires]);
  }

  /** Cuts the one that was opened last. */
  cutNewest(): () => void {
    return this.#cut([...this.#wires].slice(-1));
  }

  close(): void {
    for (const wire of this.#wires) for (const socket of wire) socket.destroy();
    this.#server.close();
  }

  #cut(wires: readonly (readonly [Socket, Socket])[]): () => void {
    for (const [from, to] of wires) {
      from.unpipe(to).pause();
      to.unpipe(from).pause();
    }
    return () => {
      for (const [from, to] of wires) from.pipe(to).pipe(from);
    };
  }

  #join(from: Socket, to: Socket): void {
    const wire = [from, to] as const;
    this.#wires.add(wire);
    for (const socket of wire) {
      socket.on('error', () => {});
      socket.once('close', () => {
        for (const end of wire) end.destroy();
        this.#wires.delete(wire);
      });
    }
    from.pipe(to).pipe(from);
  }
}
