/** What befalls the processes and the network of a run: drawn again every moment until the run rests. */

import type { SimProcess } from './SimProcess.ts';
import type { Simulation } from './Simulation.ts';

/** How often a process that is cut off from the database loses its name there. */
const LOSES_NAME = 0.3;
/** How long a process has that ends, for what it has to say to the database. */
const LAST_WORDS_MS = 1_000;

export function makeTrouble(world: Simulation): void {
  const { time, random } = world;
  time.after(random.between(200, 1_500), null, () => {
    if (world.resting) return;
    const process = random.pick(world.processes);
    if (!process.dead) strike(world, process);
    if (random.chance(world.weather.dropClient)) random.pick(world.phones).drop();
    makeTrouble(world);
  });
}

function strike(world: Simulation, process: SimProcess): void {
  const { time, random, weather } = world;
  if (random.chance(weather.crash)) {
    world.kill(process, 'suddenly');
    return;
  }
  if (random.chance(weather.drain)) drain(world, process);
  if (random.chance(weather.stall)) {
    const forMs = random.pick([300, 1_500, 2_500, 5_000]) + random.between(0, 500);
    process.stalledUntil = time.now + forMs;
    world.tell(process.id, () => `stalls for ${forMs} ms`);
    world.faulted(forMs);
  }
  if (random.chance(weather.cut)) {
    cut(world, process, 'cut', 'database');
    if (random.chance(LOSES_NAME)) loseName(world, process);
  }
  if (random.chance(weather.cutBus)) cut(world, process, 'cutBus', 'bus');
}

/** It takes on no calls any more, and when its time is over gives back those that it holds. */
function drain(world: Simulation, process: SimProcess): void {
  if (!process.isOpen) return;
  const { time, random } = world;
  process.actors.drain();
  const forMs = random.pick([0, 500, 3_000]);
  world.tell(process.id, () => `is to end in ${forMs} ms`);
  world.faulted(forMs + LAST_WORDS_MS);
  time.after(forMs, process, () => {
    process.closeRooms();
    time.after(LAST_WORDS_MS, process, () => world.kill(process, 'in order'));
  });
}

/** Its connection to the database breaks, perhaps that one alone: for a while the living process looks dead. */
function loseName(world: Simulation, process: SimProcess): void {
  const { freeNames } = world.database.tables;
  freeNames.add(process.id);
  world.tell(process.id, () => 'loses its name');
  const regain = () => {
    if (process.cut) world.time.after(500, null, regain);
    else if (!process.dead) freeNames.delete(process.id);
  };
  world.time.after(500, null, regain);
}

function cut(world: Simulation, process: SimProcess, what: 'cut' | 'cutBus', from: string): void {
  if (process[what]) return;
  const forMs = world.random.pick([400, 1_500, 4_000]) + world.random.between(0, 500);
  process[what] = true;
  world.tell(process.id, () => `is cut off from the ${from} for ${forMs} ms`);
  world.faulted(forMs);
  world.time.after(forMs, null, () => {
    process[what] = false;
    world.faulted(0);
  });
}
