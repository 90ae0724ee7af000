/**
 * A phone's connection to its person's inbox, as `rooms/InboxRoom.ts` serves it: events come in order through the
 * socket, are acknowledged sooner or later, and again from the last acknowledged one on after the socket broke.
 */
import type { Subscription } from '../../src/events/InboxHub.ts';
import type { StoredEvent } from '../../src/events/outbox.ts';
import type { Phone } from './Phone.ts';
import type { SimProcess } from './SimProcess.ts';
import type { World } from './World.ts';

interface Line {
  process: SimProcess;
  subscription: Subscription | undefined;
  /** The last that came through this line. */
  last: number;
  /** When the last message on the line arrives: none overtakes it. */
  arrivesAt: number;
  open: boolean;
}

export class Inbox {
  /** The highest `seq` seen on any line. */
  seen = 0;
  readonly #world: World;
  readonly #phone: Phone;
  #line: Line | undefined;
  #connecting = false;

  constructor(world: World, phone: Phone) {
    this.#world = world;
    this.#phone = phone;
  }

  keepOpen(): void {
    if (this.#line === undefined && !this.#connecting) void this.#connect();
  }

  drop(): void {
    const line = this.#line;
    if (line === undefined) return;
    line.open = false;
    this.#line = undefined;
    this.#world.time.after(this.#world.random.between(20, 1_500), line.process, () =>
      line.subscription?.close(),
    );
  }

  lost(process: SimProcess): void {
    if (this.#line?.process !== process) return;
    this.#line.open = false;
    this.#line = undefined;
  }

  async #connect(): Promise<void> {
    const { time, ledger } = this.#world;
    const { userId } = this.#phone;
    const process = this.#world.anyProcess();
    this.#connecting = true;
    const line = await this.#phone.ask('inbox', process, async () => {
      const { acked } = await process.hub.position(userId);
      const made: Line = { process, subscription: undefined, last: acked, arrivesAt: 0, open: true };
      made.subscription = process.hub.subscribe(userId, acked, {
        deliver: (event) => {
          made.arrivesAt = Math.max(made.arrivesAt, time.now + this.#world.latency());
          time.after(made.arrivesAt - time.now, null, () => this.#receive(made, event));
        },
        resync: () => ledger.fail(`${this.#phone.name} is told to reload, though nothing was dropped`),
      });
      return made;
    });
    this.#connecting = false;
    // A line whose process died meanwhile is dead; the next beat tries again.
    if (line !== undefined && !line.process.dead) this.#line = line;
  }

  #receive(line: Line, event: StoredEvent): void {
    if (!line.open) return;
    const { ledger, random } = this.#world;
    const { name, userId } = this.#phone;
    this.#world.tell(name, () => `hears #${event.seq} ${event.type}`);
    if (event.seq !== line.last + 1) {
      ledger.fail(`${name} hears #${event.seq} after #${line.last} on one line`);
    }
    if (event.seq > this.seen + 1) ledger.fail(`${name} hears #${event.seq}, but never #${this.seen + 1}`);
    line.last = event.seq;
    this.seen = Math.max(this.seen, event.seq);
    ledger.heard(userId, event);
    const { call } = event.payload as { call?: { id: string } };
    if (event.type === 'call:incoming') this.#phone.hears(call!.id);
    if (event.type === 'call:ended') this.#phone.ended(call!.id);
    if (random.chance(0.6)) {
      void this.#phone.ask('ack', line.process, () => line.process.hub.ack(userId, event.seq));
    }
  }
}
