/**
 * Many people in one page, each with the product's own client in a call of their own, and when what they hear came.
 * They share one microphone. Its functions are called by tests through `window.duet`.
 */
import { CallSession } from '../../../../web/sdk/call/CallSession.ts';
import { LocalTracks } from '../../../../web/sdk/call/LocalTracks.ts';
import { Http } from '../../../../web/sdk/Http.ts';
import { Seats } from '../../../../web/sdk/Seats.ts';
import { ServerClock } from '../../../../web/sdk/ServerClock.ts';

const device = { isSupported: async () => false, known: () => ({ hasAny: async () => false }) };

/** Every frame that comes in goes through here: each receiver has a list of `[from, to]` in which none came. */
function watchFrames(silenceMs) {
  const heard = new Map();
  globalThis.onrtctransform = ({ transformer: { readable, writable, options } }) => {
    const one = { firstMs: 0, lastMs: 0, silences: [] };
    heard.set(options.id, one);
    const through = new TransformStream({
      transform(frame, controller) {
        const nowMs = performance.timeOrigin + performance.now();
        one.firstMs ||= nowMs;
        if (one.lastMs && nowMs - one.lastMs > silenceMs) one.silences.push([one.lastMs, nowMs]);
        one.lastMs = nowMs;
        controller.enqueue(frame);
      },
    });
    readable
      .pipeThrough(through)
      .pipeTo(writable)
      .catch(() => {});
  };
  globalThis.onmessage = ({ ports: [port] }) => port.postMessage(heard);
}

const SILENCE_MS = 100;
const program = new Blob([`(${watchFrames})(${SILENCE_MS})`], { type: 'text/javascript' });
const frames = new Worker(URL.createObjectURL(program));
const people = new Map();
let receivers = 0;

/** The id of a track's receiver, and the connection that it is on. */
const origins = new WeakMap();
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(configuration) {
    super(configuration);
    this.addEventListener('track', ({ receiver, track }) => {
      receivers += 1;
      receiver.transform = new RTCRtpScriptTransform(frames, { id: receivers });
      origins.set(track, { id: receivers, connection: this });
    });
  }
};

const microphone = navigator.mediaDevices.getUserMedia({ audio: true });
navigator.mediaDevices.getUserMedia = async () =>
  new MediaStream([(await microphone).getTracks()[0].clone()]);

/** Takes a seat in a call's room for one person. */
function sit(url, token, seat, call, userId) {
  const auth = { accessToken: async () => token, renew: async () => false };
  const http = new Http(url);
  http.useBearer(auth);
  const clock = new ServerClock();
  const seats = new Seats(http, auth, clock);
  const session = new CallSession({
    call,
    seat,
    userId,
    http,
    seats,
    clock,
    device,
    local: new LocalTracks(),
  });
  const ears = [];
  session.on('remote', ({ track }) => track && ears.push(origins.get(track)));
  const element = document.createElement('audio');
  element.autoplay = true;
  element.srcObject = session.remote.audio;
  document.body.append(element);
  people.set(userId, { session, ears });
}

/** Port of the SFU that a connection is with. */
const portOf = ({ remoteDescription }) =>
  Number(/a=candidate:\S+ 1 udp \S+ \S+ (\d+)/.exec(remoteDescription?.sdp)?.[1]);

/**
 * What each person heard: by receiver, the worker's port, when the first and the last frame came (on the clock that all
 * pages of a machine share), and longer silences in between; and of the present transport, the sound's energy and the packets that were lost.
 */
async function heard() {
  const { port1, port2 } = new MessageChannel();
  const answered = new Promise((done) => {
    port1.onmessage = ({ data }) => done(data);
  });
  frames.postMessage(null, [port2]);
  const all = await answered;
  return Promise.all(
    [...people].map(async ([userId, { session, ears }]) => {
      const { energy, packetsLost } = (await session.stats()).audio;
      const heard = ears.map(({ id, connection }) => ({ port: portOf(connection), ...all.get(id) }));
      return { userId, energy, packetsLost, ears: heard };
    }),
  );
}

Object.assign(window, { duet: { sit, heard } });
