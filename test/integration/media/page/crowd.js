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

/** Every frame that comes in goes through here: when the first and the last came, by receiver. */
function watchFrames() {
  const heard = new Map();
  globalThis.onrtctransform = ({ transformer: { readable, writable, options } }) => {
    const one = { firstMs: 0, lastMs: 0 };
    heard.set(options.id, one);
    const through = new TransformStream({
      transform(frame, controller) {
        const nowMs = performance.timeOrigin + performance.now();
        one.firstMs ||= nowMs;
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

const program = new Blob([`(${watchFrames})()`], { type: 'text/javascript' });
const frames = new Worker(URL.createObjectURL(program));
const people = new Map();
let receivers = 0;

/** The id of a track's receiver. */
const receiverOf = new WeakMap();
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(configuration) {
    super(configuration);
    this.addEventListener('track', ({ receiver, track }) => {
      receivers += 1;
      receiver.transform = new RTCRtpScriptTransform(frames, { id: receivers });
      receiverOf.set(track, receivers);
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
  session.on('remote', ({ track }) => track && ears.push(receiverOf.get(track)));
  const element = document.createElement('audio');
  element.autoplay = true;
  element.srcObject = session.remote.audio;
  document.body.append(element);
  people.set(userId, { session, ears });
}

/**
 * What each person heard: by receiver, when the first and the last frame came (on the clock that all pages of a machine
 * share); and of the present transport, the sound's energy and the packets that were lost.
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
      return { userId, energy, packetsLost, ears: ears.map((id) => all.get(id)) };
    }),
  );
}

Object.assign(window, { duet: { sit, heard } });
