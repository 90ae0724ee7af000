/** Every metric that Duet exports, named here and nowhere else. Labels are small closed sets, never people. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What is asked for when somebody reads the metrics. */
export interface Readings {
  /** Open WebSockets. */
  sockets: () => number;
  /** Calls that this process holds. */
  calls: () => number;
  /** Media workers that are alive. */
  mediaWorkers: () => number;
  /** Passwords checked since the start, those of unknown accounts included. */
  passwordVerifications: () => number;
}

/** How one person heard and saw the other in a call that is over. */
export interface QualityOfCall {
  mos: number;
  lossRatio: number;
  jitterMs: number;
  rttMs: number;
  videoMos: number;
  frozenRatio: number;
  /** Rounds of measuring in which there was video. */
  withVideo: number;
}

export class Metrics {
  readonly registry = new Registry();
  readonly #requests = new Histogram({
    name: 'duet_http_request_duration_seconds',
    help: 'Time to answer, by declared route and status class.',
    labelNames: ['route', 'status'] as const,
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2],
    registers: [this.registry],
  });
  readonly #workersLost = new Counter({
    name: 'duet_media_workers_lost_total',
    help: 'Media workers that died or were replaced, by cause.',
    labelNames: ['cause'] as const,
    registers: [this.registry],
  });
  readonly #unhandled = new Counter({
    name: 'duet_unhandled_total',
    help: 'Rejections that nobody waited for and exceptions that nobody caught. The process ends after one of the latter.',
    labelNames: ['kind'] as const,
    registers: [this.registry],
  });

  readonly #mos = new Histogram({
    name: 'duet_call_mos',
    help: 'Mean opinion score of what a person heard over a call (ITU-T G.107).',
    buckets: [2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.4],
    registers: [this.registry],
  });
  readonly #loss = new Histogram({
    name: 'duet_call_loss_ratio',
    help: 'Share of audio packets lost between speaker and listener over a call.',
    buckets: [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2],
    registers: [this.registry],
  });
  readonly #jitter = new Histogram({
    name: 'duet_call_jitter_seconds',
    help: 'Mean interarrival jitter of the audio over a call.',
    buckets: [0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16],
    registers: [this.registry],
  });
  readonly #roundTrip = new Histogram({
    name: 'duet_call_round_trip_seconds',
    help: 'Mean round trip between a person and the SFU over a call.',
    buckets: [0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 0.8],
    registers: [this.registry],
  });

  readonly #videoMos = new Histogram({
    name: 'duet_call_video_mos',
    help: 'Mean opinion score of what a person saw over a call with video (after ITU-T G.1070 and P.1203.3).',
    buckets: [1.5, 2, 2.5, 3, 3.5, 4, 4.5],
    registers: [this.registry],
  });
  readonly #frozen = new Histogram({
    name: 'duet_call_frozen_ratio',
    help: 'Share of a video call in which the picture stood still.',
    buckets: [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
    registers: [this.registry],
  });

  constructor() {
    // The lag is measured by a timer; the default of 10 ms would be most of what wakes an idle process up.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 50 });
    for (const kind of ['rejection', 'exception']) this.#unhandled.inc({ kind }, 0);
  }

  /** Declares what is read when somebody asks. */
  read(readings: Readings): void {
    this.#gauge('duet_sockets', 'Open WebSockets.', readings.sockets);
    this.#gauge('duet_calls', 'Live calls held by this process.', readings.calls);
    this.#gauge('duet_media_workers', 'Media workers that are alive.', readings.mediaWorkers);
    this.#counter(
      'duet_password_verifications_total',
      'Passwords checked, those of unknown accounts included.',
      readings.passwordVerifications,
    );
  }

  request(route: string, status: number, durationMs: number): void {
    this.#requests.observe({ route, status: `${Math.floor(status / 100)}xx` }, durationMs / 1000);
  }

  workerLost(cause: string): void {
    this.#workersLost.inc({ cause });
  }

  unhandled(kind: 'rejection' | 'exception'): void {
    this.#unhandled.inc({ kind });
  }

  callQuality(heard: QualityOfCall): void {
    this.#mos.observe(heard.mos);
    this.#loss.observe(heard.lossRatio);
    this.#jitter.observe(heard.jitterMs / 1000);
    this.#roundTrip.observe(heard.rttMs / 1000);
    if (heard.withVideo === 0) return;
    this.#videoMos.observe(heard.videoMos);
    this.#frozen.observe(heard.frozenRatio);
  }

  /** The Prometheus text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [this.registry],
      collect: () => gauge.set(read()),
    });
  }

  /** Of what is counted elsewhere; `read` never sinks. */
  #counter(name: string, help: string, read: () => number): void {
    const counter: Counter = new Counter({
      name,
      help,
      registers: [this.registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }
}
