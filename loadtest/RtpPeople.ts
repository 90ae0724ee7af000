/**
 * People in calls whose media is `rtpClient.c`'s: real ICE, DTLS-SRTP and Opus packets towards the SFU, and the room's
 * `media:*` messages as the SDK says them, without a browser.
 */
import type { Room } from '@colyseus/sdk';
import type { Seat } from '../src/actors/Actors.ts';
import type { Person } from '../test/support/client.ts';
import { CProgram } from './CProgram.ts';

/** What was heard by one transport; times are milliseconds since 1970, 0 for never. */
export interface Heard {
  firstMs: number;
  lastMs: number;
  packets: number;
  lost: number;
  /** The longest time between two packets since `forgetSilences`. */
  silenceMs: number;
}

interface Opened {
  id: string;
  iceParameters: { usernameFragment: string; password: string };
  iceCandidates: { port: number; protocol: string }[];
}

/** What the server's router calls them as well; Opus as `OPUS_PAYLOAD_TYPE` in `rtpClient.c`, which sends no video. */
const CODECS = {
  audio: { mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000, channels: 2 },
  video: { mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000 },
};
/** What can be heard and seen. */
const RTP_CAPABILITIES = {
  codecs: Object.entries(CODECS).map(([kind, codec]) => ({
    kind,
    ...codec,
    preferredPayloadType: codec.payloadType,
  })),
};

export class RtpPeople implements AsyncDisposable {
  #program!: CProgram;
  readonly #fingerprint = Promise.withResolvers<string>();
  #heard = new Map<string, Heard>();
  #reports: PromiseWithResolvers<Map<string, Heard>>[] = [];

  private constructor() {}

  /** Needs the headers of OpenSSL 3 and libsrtp2 (`libssl-dev`, `libsrtp2-dev`). */
  static async start(): Promise<RtpPeople> {
    const people = new RtpPeople();
    people.#program = await CProgram.start('rtpClient.c', (words) => people.#take(words), [
      'ssl',
      'crypto',
      'srtp2',
    ]);
    return people;
  }

  /** Sits down in a call's room, and sends and hears from then on; `ssrc` is nobody else's. */
  async sit(person: Person, seat: Seat, ssrc: number): Promise<RtpPerson> {
    const room = await person.sit(seat);
    return new RtpPerson(person.id, room, ssrc, {
      fingerprint: await this.#fingerprint.promise,
      open: ({ id, iceParameters, iceCandidates }, sendsFrom) => {
        const { port } = iceCandidates.find(({ protocol }) => protocol === 'udp')!;
        const { usernameFragment, password } = iceParameters;
        this.#program.tell(`open ${id} ${port} ${usernameFragment} ${password} ${sendsFrom}`);
      },
      close: (id) => this.#program.tell(`close ${id}`),
    });
  }

  /** What each transport that is open has heard, by its id. */
  report(): Promise<Map<string, Heard>> {
    const report = Promise.withResolvers<Map<string, Heard>>();
    this.#reports.push(report);
    this.#program.tell('report');
    return report.promise;
  }

  forgetSilences(): void {
    this.#program.tell('forget');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }

  #take([word, id, ...values]: string[]): void {
    if (word === 'fingerprint') this.#fingerprint.resolve(id!);
    if (word === 'leg') {
      const [, firstMs, lastMs, packets, lost, silenceMs] = values.map(Number) as [
        number,
        ...[number, number, number, number, number],
      ];
      this.#heard.set(id!, { firstMs, lastMs, packets, lost, silenceMs });
    }
    if (word !== 'done') return;
    this.#reports.shift()!.resolve(this.#heard);
    this.#heard = new Map();
  }
}

interface Legs {
  fingerprint: string;
  /** `sendsFrom`: the SSRC of what it sends; 0 for one that hears. */
  open(transport: Opened, sendsFrom: number): void;
  close(id: string): void;
}

/** One person in a call. After `media:restart` everything is made anew, as in a browser. */
export class RtpPerson {
  readonly userId: string;
  /** The transport that the other is heard by at the moment. */
  ear = '';
  /** Settles when there is a transport each way; rejects where the call ended before. */
  up: Promise<void>;
  #mouth = '';
  readonly #room: Room;
  readonly #ssrc: number;
  readonly #legs: Legs;
  #open: string[] = [];
  #heard = new Set<string>();

  constructor(userId: string, room: Room, ssrc: number, legs: Legs) {
    this.userId = userId;
    this.#room = room;
    this.#ssrc = ssrc;
    this.#legs = legs;
    this.up = this.#setUp();
    // The call may end in the middle of it.
    this.up.catch(() => {});
    room.onMessage('media:producer', ({ producerId }: { producerId: string }) => {
      this.up.then(() => this.#hear(producerId)).catch(() => {});
    });
    room.onMessage('media:restart', () => {
      this.up = this.#setUp();
      this.up.catch(() => {});
    });
    room.onMessage('*', () => {});
  }

  async #setUp(): Promise<void> {
    for (const id of this.#open) this.#legs.close(id);
    this.#open = [];
    this.#heard.clear();
    // As in the SDK, both at once.
    const [mouth, ear] = await Promise.all([this.#transport('send', this.#ssrc), this.#transport('recv', 0)]);
    this.ear = ear;
    this.#mouth = mouth;
    await this.produce('audio', this.#ssrc);
  }

  /** Has the SFU take what is sent from an SSRC: for video, of which there is none, to have a producer. */
  async produce(kind: keyof typeof CODECS, ssrc: number): Promise<void> {
    await this.#room.request('media:produce', {
      transportId: this.#mouth,
      kind,
      rtpParameters: { codecs: [CODECS[kind]], encodings: [{ ssrc }] },
    });
  }

  /** Sends and hears no more, and leaves the room; without a word where it is not `consented`. */
  async leave(consented = true): Promise<void> {
    await this.up.catch(() => {});
    for (const id of this.#open.splice(0)) this.#legs.close(id);
    // One that the server has closed never says that it was left.
    if (this.#room.connection.isOpen) await this.#room.leave(consented);
  }

  async #transport(direction: 'send' | 'recv', ssrc: number): Promise<string> {
    const opened = await this.#room.request<object, Opened>('media:open', { direction });
    const fingerprints = [{ algorithm: 'sha-256', value: this.#legs.fingerprint }];
    await this.#room.request('media:connect', {
      transportId: opened.id,
      dtlsParameters: { role: 'client', fingerprints },
    });
    // Not before: the SFU takes no part in a handshake until it knows whose certificate to expect.
    this.#open.push(opened.id);
    this.#legs.open(opened, ssrc);
    return opened.id;
  }

  async #hear(producerId: string): Promise<void> {
    // It may be told of twice, on joining and as news.
    if (this.#heard.has(producerId)) return;
    this.#heard.add(producerId);
    const { consumerId } = await this.#room.request<object, { consumerId: string }>('media:consume', {
      producerId,
      rtpCapabilities: RTP_CAPABILITIES,
    });
    await this.#room.request('media:resume', { id: consumerId });
  }
}
