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
  /** The highest `seq` that came on any line, or that another device of the person has acknowledged. */
  seen = 0;
  /** When those that came were told. */
  readonly #toldAt = new Map<number, number>();
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
    const { ledger, database } = this.#world;
    const { userId } = this.#phone;
    const process = this.#world.anyProcess();
    this.#connecting = true;
    const seat = await this.#phone.ask('inbox', process, async () => {
      const { seq: after } = await process.hub.beginning(userId);
      if (after > (database.tables.inboxes.get(userId)?.acked ?? 0) && !database.tables.erased.has(userId))
        ledger.fail(`${this.#phone.name} is to hear what follows #${after}, which nobody has acknowledged`);
      this.seen = Math.max(this.seen, after);
      return { after };
    });
    const line = seat && (await this.#sit(process, seat.after));
    this.#connecting = false;
    // A line whose process died meanwhile is dead; the next beat tries again.
    if (line === undefined || line.process.dead) return;
    this.#line = line;
    if (this.#world.random.chance(0.3)) this.#replay(line);
  }

  /** Takes a seat that says after which event it begins. */
  #sit(process: SimProcess, after: number): Promise<Line | undefined> {
    const { ledger, database } = this.#world;
    const { userId } = this.#phone;
    return this.#phone.ask('seat in the inbox', process, async () => {
      const made: Line = { process, subscription: undefined, last: after, arrivesAt: 0, open: true };
      made.subscription = process.hub.subscribe(userId, after, {
        deliver: (event) => {
          if (process.accounts?.isSignedOut(userId)) return made.subscription?.close();
          this.#inOrder(made, () => this.#receive(made, event));
        },
        resync: () => {
          if (!database.tables.erased.has(userId))
            ledger.fail(`${this.#phone.name} is told to reload, though nothing was dropped`);
        },
      });
      return made;
    });
  }

  /** Asks for what came after something that it knows, and mostly says when that was told. */
  #replay(line: Line): void {
    const { time, random } = this.#world;
    const after = random.chance(0.5) ? this.seen : random.between(0, this.seen);
    const at = random.chance(0.8) ? this.#toldAt.get(after) : undefined;
    this.#world.tell(this.#phone.name, () => `wants to hear what came after #${after}`);
    time.after(this.#world.latency(), line.process, () => {
      line.subscription?.replay(after, at);
      // What is on its way arrives before.
      this.#inOrder(line, () => {
        line.last = after;
      });
    });
  }

  /** Nothing on a line overtakes what was sent before. */
  #inOrder(line: Line, arrive: () => void): void {
    const { time } = this.#world;
    line.arrivesAt = Math.max(line.arrivesAt, time.now + this.#world.latency());
    time.after(line.arrivesAt - time.now, null, arrive);
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
    this.#toldAt.set(event.seq, event.at);
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
