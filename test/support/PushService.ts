/**
 * A push service of the test's own, and the devices that subscribe with it: real HTTPS, each message decrypted as a
 * browser would (RFC 8291 section 3, RFC 8188 section 2).
 */
import { createDecipheriv, createECDH, hkdfSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll } from 'vitest';
import type { PushDevices } from '../../src/events/PushDevices.ts';
import { newId } from '../../src/ids.ts';
import { newVapidKeys, type PushTarget, WebPush } from '../../src/platform/WebPush.ts';
import type { Json, Person } from './client.ts';
import { selfSigned } from './tlsCertificate.ts';

export class PushService {
  #server: Server | undefined;
  readonly #devices = new Map<string, PushDevice>();

  async open(): Promise<void> {
    const { folder, cert, key } = selfSigned();
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const device = this.#devices.get(request.url!);
        device?.received.push({ headers: request.headers, body: Buffer.concat(pieces) });
        response.writeHead(device?.answersWith ?? 404).end();
      });
    });
    rmSync(folder, { recursive: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
  }

  close(): void {
    this.#server?.close();
  }

  /** A way to it, as a server of ours has one. */
  newSender(): WebPush {
    return new WebPush({
      vapid: newVapidKeys(),
      subject: 'mailto:push@example.org',
      hosts: [this.#host],
      agent: new Agent({ rejectUnauthorized: false }),
    });
  }

  newDevice(): PushDevice {
    const path = `/${newId()}`;
    const device = new PushDevice(`https://${this.#host}${path}`);
    this.#devices.set(path, device);
    return device;
  }

  /** A device that this person, who is signed in on it, has subscribed. */
  async deviceOf(person: Person, devices: PushDevices): Promise<PushDevice> {
    const device = this.newDevice();
    await devices.subscribe(await signInOf(person), device.target);
    return device;
  }

  get #host(): string {
    return `127.0.0.1:${(this.#server!.address() as AddressInfo).port}`;
  }
}

/** A browser's side of a subscription. */
export class PushDevice {
  readonly target: PushTarget;
  /** What the push service answers whoever sends it something. */
  answersWith = 201;
  readonly received: { headers: IncomingHttpHeaders; body: Buffer }[] = [];
  readonly #keys = createECDH('prime256v1');
  readonly #auth = randomBytes(16);

  constructor(endpoint: string) {
    const p256dh = this.#keys.generateKeys('base64url');
    this.target = { endpoint, p256dh, auth: this.#auth.toString('base64url') };
  }

  /** What it was told, in order. */
  get messages(): unknown[] {
    return this.received.map(({ body }) => this.#decrypt(body));
  }

  #decrypt(body: Buffer): unknown {
    const salt = body.subarray(0, 16);
    const senderLength = body[20]!;
    const sender = body.subarray(21, 21 + senderLength);
    const info = Buffer.concat([Buffer.from('WebPush: info\0'), this.#keys.getPublicKey(), sender]);
    const secret = hkdfSync('sha256', this.#keys.computeSecret(sender), this.#auth, info, 32);
    const derive = (what: string, length: number) =>
      Buffer.from(
        hkdfSync('sha256', new Uint8Array(secret), salt, Buffer.from(`Content-Encoding: ${what}\0`), length),
      );
    const sealed = body.subarray(21 + senderLength);
    const decipher = createDecipheriv('aes-128-gcm', derive('aes128gcm', 16), derive('nonce', 12));
    decipher.setAuthTag(sealed.subarray(-16));
    const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
    return JSON.parse(plain.subarray(0, plain.lastIndexOf(2)).toString());
  }
}

/** A running push service for the file that calls this. */
export function usePushService(): PushService {
  const service = new PushService();
  beforeAll(() => service.open());
  afterAll(() => service.close());
  return service;
}

/** The sign-in that a person has on the device that asks. */
export async function signInOf(person: Person): Promise<{ userId: string; sessionId: string }> {
  const { items } = await person.ok('GET', '/users/me/sessions');
  return { userId: person.id, sessionId: items.find((session: Json) => session.current).id };
}
