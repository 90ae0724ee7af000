import type { types } from 'mediasoup';
import type { Clock, Timer } from '../clock.ts';
import { BITRATE_TOLERANCE, MAX_INCOMING_BPS } from './codecs.ts';
import { type Intake, IntakeMeter } from './IntakeMeter.ts';
import { CODEC_DELAY_MS, estimateMos } from './mos.ts';
import { NO_VIDEO, VideoMeter, type VideoQuality } from './VideoMeter.ts';

/** How one person hears the other, measured by the SFU over the last two seconds. */
export type Quality = VideoQuality & {
  /** Estimated mean opinion score of what this person hears, 1 to 4.41 (`mos.ts`). */
  mos: number;
  /** Share of audio packets lost between the other's microphone and this person, 0 to 1. */
  lossRatio: number;
  /** Interarrival jitter of the audio (RFC 3550 section 6.4.1), milliseconds. */
  jitterMs: number;
  /** This person's round trip to the SFU, milliseconds; 0 while unknown. */
  rttMs: number;
  /** What the other sends to the SFU of audio, bits per second. */
  audioBps: number;
};

/** How much a listener's network carries. */
export type Way = Pick<Quality, 'mos' | 'lossRatio'>;

/** One consumer with who listens and who speaks. */
export type Listening = { listenerId: string; speakerId: string; consumer: types.Consumer };

type Port = {
  listening(): Listening[];
  stats(consumer: types.Consumer): Promise<(types.ConsumerStat | types.ProducerStat)[]>;
  /** Every transport of both. */
  intakes(): Intake[];
  intakeStats(transport: types.WebRtcTransport): Promise<types.WebRtcTransportStat[]>;
  /** The most that one person may send now, bits per second. */
  limitBps(): number;
  report(userId: string, quality: Quality): void;
  /** This person was sent no sound (the other is muted); `way`: by the picture alone, null where none came either. */
  unheard(userId: string, way: Way | null): void;
  /** This person has sent far more than the limit for two rounds. */
  overLimit(userId: string): void;
};

type Counters = { received: number; lostUp: number; sent: number };
type Round = Listening & { up: Stream | undefined; down: Stream | undefined };
type Stream = types.ConsumerStat | types.ProducerStat;

export const METER_EVERY_MS = 2_000;
const OPUS_CLOCK_HZ = 48_000;
const ROUNDS_OVER_LIMIT = 2;
/** RFC 3550 section 6.4.1 counts the share of lost packets in 256ths. */
const FRACTION_ONE = 256;

/** Reads the SFU's statistics of a call every two seconds while somebody has a transport there. */
export class QualityMeter {
  readonly #clock: Clock;
  readonly #port: Port;
  readonly #last = new Map<string, Counters>();
  /** By person, the rounds in a row. Whoever opens another transport is not forgiven by it. */
  readonly #overLimit = new Map<string, number>();
  readonly #rttMs = new Map<string, number>();
  readonly #video = new VideoMeter(METER_EVERY_MS);
  readonly #intake = new IntakeMeter(METER_EVERY_MS);
  #timer: Timer | null = null;

  constructor(clock: Clock, port: Port) {
    this.#clock = clock;
    this.#port = port;
  }

  /** Starts measuring; does nothing if it runs. It stops by itself when nobody has a transport. */
  start(): void {
    this.#timer ??= this.#clock.after(METER_EVERY_MS, () => void this.#tick());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** A transport is about to be closed: what came since the last round is asked for before. */
  async closing(intake: Intake): Promise<void> {
    const reading = await this.#readIntake(intake);
    if (reading !== null) this.#intake.takeClosed(reading);
  }

  async #tick(): Promise<void> {
    const timer = this.#timer;
    const [listening, intakes] = [this.#port.listening(), this.#port.intakes()];
    const [read, received] = await Promise.all([
      Promise.all(listening.map((one) => this.#read(one))),
      Promise.all(intakes.map((one) => this.#readIntake(one))),
    ]);
    if (this.#timer !== timer) return;
    this.#timer = null;
    const rounds = read.filter((round) => round !== null);
    const sentBps = this.#intake.take(received.filter((reading) => reading !== null));
    this.#forgetAllBut(listening, intakes);
    for (const round of rounds)
      if (round.down?.roundTripTime) this.#rttMs.set(round.listenerId, round.down.roundTripTime);
    for (const [userId, bps] of sentBps) this.#police(userId, bps, rounds);
    for (const listenerId of new Set(rounds.map((round) => round.listenerId))) {
      this.#judge(
        listenerId,
        rounds.filter((round) => round.listenerId === listenerId),
      );
    }
    if (intakes.length > 0) this.start();
  }

  /** A consumer's own statistics and those of the stream that it forwards; null when the worker has none. */
  async #read(listening: Listening): Promise<Round | null> {
    try {
      const stats = await this.#port.stats(listening.consumer);
      return {
        ...listening,
        up: stats.find((stat) => stat.type === 'inbound-rtp'),
        down: stats.find((stat) => stat.type === 'outbound-rtp'),
      };
    } catch {
      return null;
    }
  }

  async #readIntake({ userId, transport }: Intake) {
    try {
      const [stat] = await this.#port.intakeStats(transport);
      return stat === undefined ? null : { userId, stat };
    } catch {
      return null;
    }
  }

  #forgetAllBut(listening: Listening[], intakes: Intake[]): void {
    const consumerIds = new Set(listening.map(({ consumer }) => consumer.id));
    for (const id of this.#last.keys()) if (!consumerIds.has(id)) this.#last.delete(id);
    this.#video.forgetAllBut(consumerIds);
    this.#intake.forgetAllBut(new Set(intakes.map(({ transport }) => transport.id)));
  }

  /** All that a person sends has a limit, and in it what the other is sent of each kind. */
  #police(userId: string, bps: number, rounds: Round[]): void {
    const isOver =
      bps > this.#port.limitBps() * BITRATE_TOLERANCE ||
      rounds.some(
        ({ speakerId, consumer, up }) =>
          speakerId === userId && (up?.bitrate ?? 0) > MAX_INCOMING_BPS[consumer.kind] * BITRATE_TOLERANCE,
      );
    const roundsOver = isOver ? (this.#overLimit.get(userId) ?? 0) + 1 : 0;
    this.#overLimit.set(userId, roundsOver % ROUNDS_OVER_LIMIT);
    if (roundsOver === ROUNDS_OVER_LIMIT) this.#port.overLimit(userId);
  }

  /** Takes what one person gets. */
  #judge(listenerId: string, rounds: Round[]): void {
    const [audio, video] = (['audio', 'video'] as const).map((kind) =>
      rounds.find(({ consumer }) => consumer.kind === kind),
    );
    const seen =
      video === undefined ? NO_VIDEO : this.#video.judge({ ...video, rttMs: this.#roundTripMs(video) });
    const heard = audio && this.#judgeAudio(audio);
    const way = video?.down && seen.videoBps > 0 ? this.#wayOf(video, video.down) : null;
    if (heard) this.#port.report(listenerId, { ...heard, ...seen });
    else this.#port.unheard(listenerId, way);
  }

  /** From one person through the SFU to the other and back. */
  #roundTripMs({ listenerId, speakerId }: Listening): number {
    return (this.#rttMs.get(listenerId) ?? 0) + (this.#rttMs.get(speakerId) ?? 0);
  }

  /** How the network would carry a voice beside the picture. */
  #wayOf(video: Listening, { fractionLost }: Stream): Way {
    const lossRatio = fractionLost / FRACTION_ONE;
    const delayMs = this.#roundTripMs(video) / 2 + CODEC_DELAY_MS;
    return { mos: estimateMos({ delayMs, lossRatio }), lossRatio };
  }

  /** Null when no sound was sent: there is nothing to judge. */
  #judgeAudio(round: Round): Omit<Quality, keyof VideoQuality> | null {
    const { listenerId, consumer, up, down } = round;
    if (up === undefined || down === undefined) return null;
    const now = { received: up.packetCount, lostUp: up.packetsLost, sent: down.packetCount };
    const before = this.#last.get(consumer.id) ?? { received: 0, lostUp: 0, sent: 0 };
    this.#last.set(consumer.id, now);
    if (now.sent <= before.sent) return null;
    const lossUp = ratio(
      now.lostUp - before.lostUp,
      now.received - before.received + now.lostUp - before.lostUp,
    );
    // The receiver's figures span both hops, for the SFU forwards packets as they come, with their gaps. Browsers
    // report on audio every 2.5 to 7.5 s: what a report says of the time before it holds until the next.
    const lossRatio = Math.max(down.fractionLost / FRACTION_ONE, lossUp);
    const jitterMs = Math.max(up.jitter, down.jitter) / (OPUS_CLOCK_HZ / 1000);
    const rttMs = this.#rttMs.get(listenerId) ?? 0;
    // A playout buffer holds about twice the jitter.
    const delayMs = this.#roundTripMs(round) / 2 + 2 * jitterMs + CODEC_DELAY_MS;
    return {
      mos: estimateMos({ delayMs, lossRatio }),
      lossRatio,
      jitterMs,
      rttMs,
      audioBps: up.bitrate,
    };
  }
}

/** Part of whole between 0 and 1; a report that runs behind can make either negative. */
function ratio(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(Math.max(part / whole, 0), 1);
}
