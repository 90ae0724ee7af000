/** What befalls the processes and the network of a run: drawn again every moment until the run rests. */

import type { SimProcess } from './SimProcess.ts';
import type { Simulation } from './Simulation.ts';

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
  if (random.chance(weather.stall)) {
    const forMs = random.pick([300, 1_500, 2_500, 5_000]) + random.between(0, 500);
    process.stalledUntil = time.now + forMs;
    world.tell(process.id, () => `stalls for ${forMs} ms`);
    world.faulted(forMs);
  }
  if (random.chance(weather.cut)) cut(world, process, 'cut', 'database');
  if (random.chance(weather.cutBus)) cut(world, process, 'cutBus', 'bus');
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
