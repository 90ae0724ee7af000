import { connect, type Socket } from 'node:net';

const CONNECTIONS = 64;

/** Likes over keep-alive connections, the next one as soon as the last was answered. */
export class LikeLoad {
  readonly latencies: number[] = [];
  /** Pairs of which both likes were answered. */
  mutual = 0;
  readonly #sockets: Socket[] = [];
  readonly #pairs: Generator<[string, string]>;
  readonly #half = new Set<string>();
  #running = false;
  #idle: (() => void)[] = [];

  constructor(port: number, pairs: Generator<[string, string]>) {
    this.#pairs = pairs;
    for (let i = 0; i < CONNECTIONS; i++) this.#open(port);
  }

  async run(seconds: number): Promise<void> {
    await this.#allIdle();
    this.#running = true;
    for (const send of this.#idle.splice(0)) send();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    this.#running = false;
    await this.#allIdle();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #open(port: number): void {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let sentAt = 0;
    let key = '';
    const send = () => {
      const [actor, target] = this.#pairs.next().value as [string, string];
      key = [actor, target].sort().join();
      sentAt = performance.now();
      socket.write(
        `POST /api/v1/matches/like/${target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${actor}\r\ncontent-length: 0\r\n\r\n`,
      );
    };
    socket.on('data', (data) => {
      if (data.subarray(0, 12).toString() !== 'HTTP/1.1 200') throw new Error(data.toString());
      this.latencies.push(performance.now() - sentAt);
      if (this.#half.delete(key)) this.mutual++;
      else this.#half.add(key);
      if (this.#running) send();
      else this.#idle.push(send);
    });
    socket.once('connect', () => this.#idle.push(send));
    this.#sockets.push(socket);
  }

  async #allIdle(): Promise<void> {
    while (this.#idle.length < CONNECTIONS) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
