/**
 * Janus (Debian's package `janus`, 1.1 or later) made to forward plain RTP as a media worker does in `rtpForwarding.ts`: each
 * direction of a call is a remote publisher of a VideoRoom, whose packets are forwarded to the listener's port.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../test/support/freePort.ts';
import { type Kind, RtpLeg } from './RtpLeg.ts';

/** By this Janus tells the streams of a remote publisher apart; each has one only. */
const SSRC = 1_000;
const CODECS = { audio: 'opus', video: 'vp8' } as const;

type Answer = {
  data?: { id: number };
  plugindata?: { data: { error?: string; port?: number; room?: number } };
};

export class JanusServer {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;
  #path = '';
  #people = 0;

  static async start(): Promise<JanusServer> {
    const folder = await mkdtemp(join(tmpdir(), 'duet-janus-'));
    const port = await freePort();
    const config = {
      'janus.jcfg':
        'general: { debug_level = 2, session_timeout = 0 }\nplugins: { disable = "PLUGINS" }\ntransports: { disable = "TRANSPORTS" }\n'
          .replace('PLUGINS', PLUGINS.map((name) => `libjanus_${name}.so`).join(','))
          .replace('TRANSPORTS', TRANSPORTS.map((name) => `libjanus_${name}.so`).join(',')),
      'janus.transport.http.jcfg': `general: { http = true, ip = "127.0.0.1", port = ${port}, https = false }\n`,
      'janus.plugin.videoroom.jcfg': 'general: {}\n',
    };
    for (const [name, text] of Object.entries(config)) await writeFile(join(folder, name), text);
    const child = spawn('janus', ['-F', folder], { stdio: 'ignore' });
    const janus = new JanusServer(child, folder, `http://127.0.0.1:${port}/janus`);
    await janus.#attach();
    return janus;
  }

  private constructor(child: ChildProcess, folder: string, url: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = url;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** A room for a call of two, each of whom sends every kind to the other. */
  async openCall(kinds: readonly Kind[]): Promise<RtpLeg[]> {
    const { room } = await this.#ask({ request: 'create', publishers: 2 * kinds.length });
    const legs: RtpLeg[] = [];
    for (const kind of [...kinds, ...kinds]) legs.push(await this.#openLeg(room!, kind));
    return legs;
  }

  async close(): Promise<void> {
    this.#child.kill();
    await once(this.#child, 'exit');
    await rm(this.#folder, { recursive: true });
  }

  #openLeg(room: number, kind: Kind): Promise<RtpLeg> {
    return RtpLeg.open(kind, SSRC, async (listenerPort, payloadType) => {
      const stream = { type: kind, mindex: 0, mid: '0', codec: CODECS[kind] };
      const to = { mid: '0', port: listenerPort, pt: payloadType };
      for (let tries = 1; ; tries += 1) {
        const id = ++this.#people;
        const { port } = await this.#ask({ request: 'add_remote_publisher', room, id, streams: [stream] });
        try {
          await this.#ask({
            request: 'rtp_forward',
            room,
            publisher_id: id,
            host: '127.0.0.1',
            streams: [to],
          });
          return port!;
        } catch (error) {
          // Of the remote publishers of 1.1.2 about one in ten is gone at once ("No such feed"): another one, then.
          if (tries === 5) throw error;
        }
      }
    });
  }

  async #attach(): Promise<void> {
    const session = await this.#say('', { janus: 'create' });
    const handle = await this.#say(`/${session.data!.id}`, {
      janus: 'attach',
      plugin: 'janus.plugin.videoroom',
    });
    this.#path = `/${session.data!.id}/${handle.data!.id}`;
  }

  async #ask(body: object): Promise<{ port?: number; room?: number }> {
    const { plugindata } = await this.#say(this.#path, { janus: 'message', body });
    if (plugindata === undefined || plugindata.data.error !== undefined) {
      throw new Error(`Janus refused ${JSON.stringify(body)}: ${plugindata?.data.error}`);
    }
    return plugindata.data;
  }

  /** It takes a moment until it listens. */
  async #say(path: string, message: object): Promise<Answer> {
    const body = JSON.stringify({ ...message, transaction: 't' });
    for (let tries = 1; ; tries += 1) {
      try {
        const response = await fetch(this.#url + path, { method: 'POST', body });
        return (await response.json()) as Answer;
      } catch (error) {
        if (tries === 50 || this.#child.exitCode !== null) throw error;
        await sleep(100);
      }
    }
  }
}

/** Those that are not needed, and keep threads of their own. */
const PLUGINS = [
  ...['audiobridge', 'duktape', 'echotest', 'lua', 'nosip', 'recordplay', 'sip', 'streaming'],
  ...['textroom', 'videocall', 'voicemail'],
];
const TRANSPORTS = ['mqtt', 'nanomsg', 'pfunix', 'rabbitmq', 'websockets'];

/** Time that all threads of a process have been on a processor, nanoseconds, by the kernel's own count. */
export function cpuNsOf(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return sum;
}
