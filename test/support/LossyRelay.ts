import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** What is done to packets on their way to the client. */
export type Impairment = {
  /** Share of packets dropped, 0 to 1. */
  lossRatio: number;
  /** Each is held back for a random time up to this, milliseconds; it may be overtaken. */
  delayUpToMs: number;
};

/** A bad network between a client and a UDP port on loopback: it drops and delays what comes from the port. */
export class LossyRelay {
  impairment: Impairment = { lossRatio: 0, delayUpToMs: 0 };
  readonly #near: Socket;
  readonly #target: number;
  /** A socket towards the port for each of the client's. */
  readonly #far = new Map<number, Socket>();

  static async to(port: number): Promise<LossyRelay> {
    const near = createSocket('udp4').bind(0, '127.0.0.1');
    await once(near, 'listening');
    return new LossyRelay(near, port);
  }

  private constructor(near: Socket, target: number) {
    this.#near = near;
    this.#target = target;
    near.on('message', (packet, { port }) => this.#farOf(port).send(packet, this.#target, '127.0.0.1'));
  }

  get port(): number {
    return this.#near.address().port;
  }

  /** The client is on another network: what it sends comes from other addresses, and what goes to the old ones is lost. */
  move(): void {
    for (const socket of this.#far.values()) socket.close();
    this.#far.clear();
  }

  close(): void {
    this.#near.close();
    this.move();
  }

  #farOf(port: number): Socket {
    const known = this.#far.get(port);
    if (known !== undefined) return known;
    const socket = createSocket('udp4');
    this.#far.set(port, socket);
    socket.on('message', (packet) => {
      const { lossRatio, delayUpToMs } = this.impairment;
      if (Math.random() < lossRatio) return;
      if (delayUpToMs === 0) this.#pass(packet, port);
      else setTimeout(() => this.#pass(packet, port), Math.random() * delayUpToMs);
    });
    return socket;
  }

  #pass(packet: Buffer, port: number): void {
    if (this.#far.has(port)) this.#near.send(packet, port, '127.0.0.1');
  }
}
