/** Every metric that Duet exports, named here and nowhere else. Labels are small closed sets, never people. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Gauges {
  /** Open WebSockets. */
  sockets: () => number;
  /** Calls that this process holds. */
  calls: () => number;
  /** Media workers that are alive. */
  mediaWorkers: () => number;
  /** Passwords checked since the start, those of unknown accounts included. */
  passwordVerifications: () => number;
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

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Declares what is read when somebody asks. */
  gauges(gauges: Gauges): void {
    this.#gauge('duet_sockets', 'Open WebSockets.', gauges.sockets);
    this.#gauge('duet_calls', 'Live calls held by this process.', gauges.calls);
    this.#gauge('duet_media_workers', 'Media workers that are alive.', gauges.mediaWorkers);
    this.#gauge('duet_password_verifications', 'Passwords checked since the start.', gauges.passwordVerifications);
  }

  request(route: string, status: number, durationMs: number): void {
    this.#requests.observe({ route, status: `${Math.floor(status / 100)}xx` }, durationMs / 1000);
  }

  workerLost(cause: string): void {
    this.#workersLost.inc({ cause });
  }

  /** The Prometheus text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(read()) });
  }
}
