/**
 * What a run has against its people: how often what goes wrong, drawn from the seed. Some runs have one kind of
 * trouble only, some all of it, some none: a rule that breaks in fair weather is a different bug.
 */
import type { Random } from './Random.ts';

export interface Weather {
  name: string;
  /** How far the clocks of processes are off, either way. */
  skewMs: number;
  /** One way through the network. */
  latencyMs: { low: number; high: number };
  /** How often a packet takes ten times as long. */
  slowPackets: number;
  /** Chance of each kind of fault, each time that trouble is made (every 0.2 to 1.5 s). */
  crash: number;
  stall: number;
  /** A process and the database do not hear each other. */
  cut: number;
  /** A process does not hear the bus, or is not heard there, or neither. */
  cutBus: number;
  /** A process loses its name in the database, and nothing else. */
  loseName: number;
  /** Another process comes up under the same name. */
  twin: number;
  /** The database's clock is set, by an hour at most; once in a run. */
  setClock: number;
  /** A process is asked to end: it takes on no calls, gives back what it holds, and goes. */
  drain: number;
  /** Somebody deletes their account, which is erased soon. */
  leave: number;
  /** A client's socket breaks. */
  dropClient: number;
  /** Chances per message. */
  hintLost: number;
  hintTwice: number;
  /** A command to another process is not heard, or its answer. */
  commandLost: number;
  /** A command to another process comes twice. */
  commandTwice: number;
  /** A request to the database does not arrive. */
  requestLost: number;
  /** The database did it and the answer is lost. */
  answerLost: number;
  /** The database does it when whoever asked has given up: what they read before says that it was not done. */
  late: number;
  /** The process dies after a commit, before it tells anybody. */
  diesAfterCommit: number;
}

const FAIR: Weather = {
  name: 'fair',
  skewMs: 0,
  latencyMs: { low: 1, high: 4 },
  slowPackets: 0,
  crash: 0,
  stall: 0,
  cut: 0,
  cutBus: 0,
  loseName: 0,
  twin: 0,
  setClock: 0,
  drain: 0,
  leave: 0,
  dropClient: 0,
  hintLost: 0,
  hintTwice: 0,
  commandLost: 0,
  commandTwice: 0,
  requestLost: 0,
  answerLost: 0,
  late: 0,
  diesAfterCommit: 0,
};

const KINDS: Readonly<Record<string, Partial<Weather>>> = {
  fair: {},
  jitter: {
    skewMs: 150,
    latencyMs: { low: 1, high: 60 },
    slowPackets: 0.05,
    hintTwice: 0.1,
    dropClient: 0.3,
  },
  crashes: { crash: 0.5, diesAfterCommit: 0.03, late: 0.01, dropClient: 0.1 },
  deploys: { drain: 0.4, crash: 0.05, dropClient: 0.1, slowPackets: 0.02 },
  stalls: { stall: 0.5, skewMs: 50 },
  partitions: { cut: 0.35, cutBus: 0.3, skewMs: 50 },
  departures: {
    leave: 0.15,
    crash: 0.15,
    stall: 0.1,
    cut: 0.1,
    cutBus: 0.1,
    diesAfterCommit: 0.02,
    answerLost: 0.01,
    late: 0.01,
    skewMs: 50,
  },
  names: { loseName: 0.4, twin: 0.2, crash: 0.1, stall: 0.1, skewMs: 50 },
  clocks: { setClock: 0.3, crash: 0.25, stall: 0.1, drain: 0.05, skewMs: 100, dropClient: 0.1 },
  losses: {
    requestLost: 0.02,
    answerLost: 0.03,
    late: 0.02,
    hintLost: 0.2,
    commandLost: 0.1,
    commandTwice: 0.1,
    dropClient: 0.2,
  },
  storm: {
    skewMs: 150,
    latencyMs: { low: 1, high: 40 },
    slowPackets: 0.02,
    crash: 0.2,
    stall: 0.2,
    cut: 0.15,
    cutBus: 0.15,
    loseName: 0.05,
    twin: 0.03,
    drain: 0.1,
    dropClient: 0.2,
    hintLost: 0.1,
    hintTwice: 0.1,
    commandLost: 0.05,
    commandTwice: 0.05,
    requestLost: 0.01,
    answerLost: 0.01,
    late: 0.01,
    diesAfterCommit: 0.01,
  },
};

const WEIGHTS = {
  fair: 2,
  jitter: 2,
  crashes: 3,
  deploys: 2,
  stalls: 2,
  partitions: 2,
  names: 2,
  clocks: 2,
  departures: 2,
  losses: 2,
  storm: 4,
};

/** One of all, or `only` the one. */
export function drawWeather(random: Random, only?: string): Weather {
  const drawn = random.weighted(WEIGHTS);
  const name = only ?? drawn;
  if (!(name in KINDS)) throw new Error(`there is no weather ${name}, but ${Object.keys(KINDS).join(', ')}`);
  return { ...FAIR, ...KINDS[name], name };
}

/** What is left of a run's trouble when it is to come to rest: clocks that are off and slow packets, who has left; no faults. */
export function calmed(weather: Weather): Weather {
  const { name, skewMs, latencyMs, slowPackets, leave } = weather;
  return { ...FAIR, name, skewMs, latencyMs, slowPackets, leave };
}
