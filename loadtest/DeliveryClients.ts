/** The clients of `delivery.ts`: `deliveryClient.c`, what it is told and what it answers. */
import { CProgram } from './CProgram.ts';

/** What happened to the events of a run; times in microseconds from when an event was due to when it arrived. */
export interface Delivered {
  sent: number;
  arrived: number;
  /** How late the sending itself was, p99: part of every time. */
  senderLateUs: number;
  p50Us: number;
  p90Us: number;
  p99Us: number;
  p999Us: number;
  maxUs: number;
}

/** Events a second, or as many as the server takes. */
export type Rate = number | 'asFastAsItGoes';

/** An event of a plan: what goes out on which socket. */
export interface Step {
  socket: number;
  payload: Buffer;
  /** Where in the payload the digits of its due time stand, and where four bytes of a rising number. */
  markAt?: number;
  counterAt?: number;
  /** Instead of a mark: the socket at which the next change of state is this event's; `other` is sent every second time. */
  patch?: { at: number; other: Buffer };
}

export class DeliveryClients implements AsyncDisposable {
  #program!: CProgram;
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  #ran: PromiseWithResolvers<Delivered> | undefined;

  private constructor() {}

  static async start(): Promise<DeliveryClients> {
    const clients = new DeliveryClients();
    clients.#program = await CProgram.start('deliveryClient.c', (words) => clients.#take(words));
    return clients;
  }

  /** Opens a WebSocket and resolves with its number; `joins`: when the room has let it in. */
  openWebSocket(port: number, path: string, joins: boolean): Promise<number> {
    return this.#open(`ws ${port} ${Number(joins)} ${path}`);
  }

  /** Opens a plain socket, writes `greeting`, and resolves with its number. */
  async openSocket(port: number, greeting: string): Promise<number> {
    const socket = await this.#open(`tcp ${port}`);
    this.#tell(`write ${socket} ${Buffer.from(greeting).toString('hex')}`);
    return socket;
  }

  /**
   * Goes through the steps, over and over, at `rate` events a second for `seconds`; `asFastAsItGoes`: the next one when one
   * has arrived, as many under way as there are steps.
   */
  async run(steps: readonly Step[], rate: Rate, seconds: number): Promise<Delivered> {
    this.#tell('plan');
    for (const { socket, payload, markAt = -1, counterAt = -1, patch } of steps) {
      const answer = patch === undefined ? '' : ` ${patch.at} ${patch.other.toString('hex')}`;
      this.#tell(`step ${socket} ${payload.toString('hex')} ${markAt} ${counterAt}${answer}`);
    }
    this.#ran = Promise.withResolvers();
    this.#tell(rate === 'asFastAsItGoes' ? `loop ${seconds}` : `run ${rate} ${seconds}`);
    return this.#ran.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }

  async #open(command: string): Promise<number> {
    const opened = Promise.withResolvers<void>();
    const socket = this.#waiting.push(opened) - 1;
    this.#tell(command);
    await opened.promise;
    return socket;
  }

  #tell(command: string): void {
    this.#program.tell(command);
  }

  #take([word, ...values]: string[]): void {
    const numbers = values.map(Number);
    if (word === 'open') this.#waiting[numbers[0]!]!.resolve();
    // Once it is open nobody waits, and what is missing in the run says so.
    if (word === 'gone') this.#waiting[numbers[0]!]!.reject(new Error('the server closed the connection'));
    if (word !== 'ran') return;
    const [sent, arrived, senderLateUs, p50Us, p90Us, p99Us, p999Us, maxUs] = numbers as Eight;
    this.#ran!.resolve({ sent, arrived, senderLateUs, p50Us, p90Us, p99Us, p999Us, maxUs });
  }
}

type Eight = [number, number, number, number, number, number, number, number];
