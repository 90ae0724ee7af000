/** What befalls the processes and the network of a run: drawn again every moment until the run rests. */
import { LEASE_MS } from '../../src/calling/CallStore.ts';
import { RESUMED } from '../../src/platform/Bus.ts';
import type { SimProcess } from './SimProcess.ts';
import type { Simulation } from './Simulation.ts';

/** How often a process that is cut off from the database loses its name there. */
const LOSES_NAME = 0.3;
/** How often two whose match is over have another. */
const AGAIN = 0.1;
/** How long a process has that ends, for what it has to say to the database. */
const LAST_WORDS_MS = 1_000;

export function makeTrouble(world: Simulation): void {
  const { time, random } = world;
  time.after(random.between(200, 1_500), null, () => {
    if (world.resting) return;
    const process = random.pick(world.processes);
    if (!process.dead) strike(world, process);
    if (random.chance(world.weather.leave)) random.pick(world.phones).quit();
    if (random.chance(world.weather.setClock)) setClock(world);
    if (random.chance(world.weather.dropClient)) random.pick(world.phones).drop();
    if (world.database.tables.matches.size > 0 && random.chance(AGAIN)) world.rematch();
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
  if (random.chance(weather.cut) && !process.cut) {
    const forMs = random.pick([400, 1_500, 4_000]) + random.between(0, 500);
    process.cut = true;
    world.tell(process.id, () => `is cut off from the database for ${forMs} ms`);
    lasts(world, forMs, () => {
      process.cut = false;
    });
    if (random.chance(LOSES_NAME)) loseName(world, process);
  }
  if (random.chance(weather.cutBus)) cutBus(world, process);
  if (random.chance(weather.loseName)) loseName(world, process);
  if (random.chance(weather.twin)) twin(world, process);
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
  world.tell(process.id, () => 'loses its name');
  world.faulted(LEASE_MS);
  for (const session of [...process.sessions]) session.breaks();
}

/** Another process under its name, for a while: each takes the name from the other, again and again. */
function twin(world: Simulation, process: SimProcess): void {
  if (world.ghosts.length > 0) return;
  world.twin(process);
  const forMs = world.random.pick([500, 3_000]);
  lasts(world, forMs, () => world.kill(process, 'as the twin that it is'));
}

/** Either way or both. */
function cutBus(world: Simulation, process: SimProcess): void {
  if (process.deafToBus || process.muteOnBus) return;
  const { random } = world;
  const way = random.pick(['deaf', 'mute', 'both', 'both'] as const);
  const forMs = random.pick([400, 1_500, 4_000]) + random.between(0, 500);
  process.deafToBus = way !== 'mute';
  process.muteOnBus = way !== 'deaf';
  world.tell(process.id, () => `is cut off from the bus (${way}) for ${forMs} ms`);
  lasts(world, forMs, () => {
    process.deafToBus = false;
    process.muteOnBus = false;
    // It may not have noticed.
    if (random.chance(0.5)) process.bus.listeners.tell(RESUMED, {});
  });
}

/** The database's clock is set once: before it is set again, all would have to know of it (docs/reliability.md). */
function setClock(world: Simulation): void {
  const { random, databaseClock } = world;
  if (databaseClock.offMs !== 0 || world.everyone.every((process) => process.dead)) return;
  // In the unit in which processes say how far they are from it, and by so much that they do.
  const byMs =
    random.pick([100, -100]) * random.pick([36_000, random.between(600, 36_000), random.between(12, 80)]);
  databaseClock.offMs = byMs;
  world.tell('#', () => `the database's clock is set by ${byMs} ms`);
  world.faulted(LEASE_MS + Math.min(Math.abs(byMs), 8_000));
}

function lasts(world: Simulation, forMs: number, end: () => void): void {
  world.faulted(forMs);
  world.time.after(forMs, null, () => {
    end();
    world.faulted(0);
  });
}
