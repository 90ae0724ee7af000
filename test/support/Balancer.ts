import { connect, createServer, type Server, type Socket } from 'node:net';

/** A load balancer on loopback: hands each connection to the first process that takes it. */
export class Balancer {
  /** Ports of the processes, in the order in which they are tried. */
  ports: readonly number[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<Balancer> {
    const server = createServer();
    const balancer = new Balancer(server);
    server.on('connection', (client) => balancer.#forward(client, balancer.ports));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  close(): void {
    this.#server.close();
  }

  #forward(client: Socket, ports: readonly number[]): void {
    const [port, ...others] = ports;
    client.on('error', () => {});
    if (port === undefined) return void client.destroy();
    const upstream = connect(port, '127.0.0.1');
    upstream.once('connect', () => {
      client.pipe(upstream).pipe(client);
      client.once('close', () => upstream.destroy());
      upstream.once('close', () => client.destroy());
    });
    upstream.once('error', () =>
      upstream.bytesRead === 0 && upstream.pending ? this.#forward(client, others) : client.destroy(),
    );
  }
}
