/** The product's own client in a call's room. Its functions are called by tests through `window.duet`. */

import { CallSession } from '../../../../web/sdk/call/CallSession.ts';
import { LocalTracks } from '../../../../web/sdk/call/LocalTracks.ts';
import { OwnDevice } from '../../../../web/sdk/e2ee/OwnDevice.ts';
import { Http } from '../../../../web/sdk/Http.ts';
import { Seats } from '../../../../web/sdk/Seats.ts';
import { ServerClock } from '../../../../web/sdk/ServerClock.ts';
import { heardAt, watch, watchEncryption } from './probe.js';

const made = [];
let session;
let isWatched = false;

window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(configuration) {
    super(configuration);
    made.push(this);
    if (isWatched) watch(this);
  }
};

/** Those to the server; mediasoup-client looks at what the browser can with others. */
const live = () => made.filter(({ connectionState }) => connectionState !== 'closed');

/** Without end-to-end encryption, which has tests of its own. */
const noDevice = { isSupported: async () => false, known: () => ({ hasAny: async () => false }) };

/**
 * Takes a seat in a call's room at `url`. `probe`: `heardAt` will be asked; `frameWorker`: with end-to-end encryption, by
 * this program.
 */
async function sit(url, token, seat, call, userId, { probe = false, frameWorker } = {}) {
  if (frameWorker) watchEncryption(frameWorker);
  else isWatched = probe;
  const auth = { accessToken: async () => token, renew: async () => false, userId, on() {} };
  const [http, room] = [new Http(location.origin), new Http(url)];
  http.useBearer(auth);
  const clock = new ServerClock();
  const seats = new Seats(room, auth, clock);
  const device = frameWorker ? new OwnDevice(http, auth) : noDevice;
  session = new CallSession({ call, seat, userId, http, seats, clock, device, local: new LocalTracks() });
  const element = document.createElement('audio');
  element.autoplay = true;
  element.srcObject = session.remote.audio;
  document.body.append(element);
}

/** When both transports are up. */
async function open() {
  const isUp = ({ connectionState }) => connectionState === 'connected';
  while (live().length < 2 || !live().every(isUp)) await pause(10);
  // What was prepared is known to the server as well.
  await pause(200);
}

/** Answers; → when, on the clock that all pages of a machine share. */
function answer() {
  const at = now();
  void session.answer();
  return at;
}

/** What has come in of a kind so far. */
async function received(kind) {
  const sum = { bytes: 0, frames: 0, level: 0 };
  for (const connection of live()) {
    for (const stat of (await connection.getStats()).values()) {
      if (stat.type !== 'inbound-rtp' || stat.kind !== kind) continue;
      sum.bytes += stat.bytesReceived ?? 0;
      sum.frames += stat.framesDecoded ?? 0;
      sum.level += stat.totalAudioEnergy ?? 0;
    }
  }
  return sum;
}

/** What has been sent of audio so far. */
async function sent() {
  const sum = { packets: 0, level: 0 };
  for (const connection of live()) {
    for (const stat of (await connection.getStats()).values()) {
      if (stat.type === 'outbound-rtp') sum.packets += stat.packetsSent ?? 0;
      if (stat.type === 'media-source') sum.level += stat.totalAudioEnergy ?? 0;
    }
  }
  return sum;
}

function now() {
  return performance.timeOrigin + performance.now();
}

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

const upgrade = () => session.upgrade();
const end = () => session.end();
const people = () => session.snapshot.people;
const phase = () => session.snapshot.phase;
const mute = (muted) => session.devices.setMuted(muted);

Object.assign(window, {
  duet: { sit, open, answer, upgrade, end, heardAt, received, sent, people, phase, mute },
});
