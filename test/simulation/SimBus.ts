/** A process's end of the bus: hints that overtake each other, arrive twice, or not at all. */
import { type Bus, Listeners } from '../../src/platform/Bus.ts';
import type { SimProcess } from './SimProcess.ts';
import type { World } from './World.ts';

export class SimBus implements Bus {
  readonly listeners = new Listeners();
  readonly #world: World;
  readonly #process: SimProcess;

  constructor(world: World, process: SimProcess) {
    this.#world = world;
    this.#process = process;
  }

  publish(topic: string, message: object): void {
    const { time, random, weather, everyone } = this.#world;
    if (this.#process.muteOnBus) return;
    for (const target of everyone) {
      const copies = random.chance(weather.hintLost) ? 0 : random.chance(weather.hintTwice) ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        time.after(this.#world.latency(), target, () => {
          if (!target.deafToBus) target.bus.listeners.tell(topic, message);
        });
      }
    }
  }

  subscribe(topic: string, listener: (message: unknown) => void): () => void {
    return this.listeners.add(topic, listener);
  }

  close(): Promise<void> {
    this.listeners.clear();
    return Promise.resolve();
  }
}
