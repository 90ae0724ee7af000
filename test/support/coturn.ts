import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { TurnClient } from './turnClient.ts';

const CONFIG = resolve(import.meta.dirname, '../../deploy/coturn.conf');
const TURNSERVER = [process.env.TURNSERVER_BIN ?? '', '/usr/bin/turnserver'].find((path) => existsSync(path));
/** What the sample leaves to whoever runs it, for a test on loopback. */
const LOOPBACK = ['--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', '--no-dtls', '--pidfile='];

/** TLS as in the sample, on a port that needs no privilege. */
type Tls = { port: number; cert: string; key: string };

/** A port that nobody has at the moment. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((done) => socket.close(done));
  return port;
}

/** A real coturn with the sample configuration, on loopback. */
export class Coturn {
  readonly port: number;
  readonly #process: ChildProcess;

  /** `allow`: peers that the sample denies. Rejects when coturn is not installed or does not start. */
  static async start(port: number, secret: string, allow: string[] = [], tls?: Tls): Promise<Coturn> {
    if (TURNSERVER === undefined) throw new Error('coturn is needed (Debian: apt-get install coturn)');
    const child = spawn(
      TURNSERVER,
      [
        '-c',
        CONFIG,
        ...LOOPBACK,
        `--listening-port=${port}`,
        ...(tls === undefined
          ? ['--no-tls']
          : [`--tls-listening-port=${tls.port}`, `--cert=${tls.cert}`, `--pkey=${tls.key}`]),
        `--static-auth-secret=${secret}`,
        ...(allow.length > 0 ? ['--allow-loopback-peers'] : []),
        ...allow.map((address) => `--allowed-peer-ip=${address}`),
      ],
      { stdio: ['ignore', 'ignore', 'ignore'] },
    );
    const coturn = new Coturn(port, child);
    await coturn.#answers();
    return coturn;
  }

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#process = child;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }

  async #answers(): Promise<void> {
    for (let tries = 0; tries < 50; tries += 1) {
      const client = await TurnClient.connect(this.port, 'nobody', 'nothing');
      const code = await client.allocate().catch(() => undefined);
      client.close();
      if (code === 401) return;
      await new Promise((done) => setTimeout(done, 200));
    }
    await this.stop();
    throw new Error('coturn does not answer');
  }
}
