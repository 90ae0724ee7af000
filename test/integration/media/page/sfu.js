/** A client on mediasoup-client in a call's room. Its functions are called by tests through `window.duet`. */
import { Client } from '@colyseus/sdk';
import { Device } from 'mediasoup-client';
import { heardAt, watch } from './probe.js';

let room;
let device;
let transports;
let given;
let asked;
const producers = new Map();
const consumers = new Map();
const told = [];

/** Takes a seat in the call's room; consumes whatever the other sends. */
async function sit(url, token, seat) {
  const sdk = new Client(url);
  sdk.auth.token = token;
  room = await sdk.consumeSeatReservation(seat);
  room.onMessage('media:producer', ({ producerId }) => {
    consume(producerId).catch((error) => console.error(error));
  });
  room.onMessage('*', (type, payload) => told.push({ type, ...payload, atMs: performance.now() }));
}

/** What the server gives a client to open its transports with; asked for once. */
function ask() {
  asked ??= Promise.all([
    room.request('media:capabilities', {}),
    room.request('media:open', { direction: 'send' }),
    room.request('media:open', { direction: 'recv' }),
  ]);
  return asked;
}

/** Opens both transports; with `warm` they also connect. */
async function open(configuration = {}, warm = false) {
  given ??= (async () => {
    const [{ rtpCapabilities }, send, recv] = await ask();
    device = await Device.factory();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    transports = {
      send: wire(device.createSendTransport({ ...send, ...configuration })),
      recv: wire(device.createRecvTransport({ ...recv, ...configuration })),
    };
    transports.send.on('produce', ({ kind, rtpParameters: { encodings, ...rest } }, done, failed) => {
      const rtpParameters = { ...rest, encodings: encodings.map(({ active, ...encoding }) => encoding) };
      allowed
        .then(() => room.request('media:produce', { transportId: transports.send.id, kind, rtpParameters }))
        .then(
          ({ producerId }) => done({ id: producerId }),
          (error) => failed(new Error(error.reason?.code ?? error.message)),
        );
    });
  })();
  await given;
  if (warm) await warmUp();
}

function wire(transport) {
  transport.on('connect', ({ dtlsParameters }, done, failed) => {
    room.request('media:connect', { transportId: transport.id, dtlsParameters }).then(done, failed);
  });
  return transport;
}

/** Lets the server be told of what is sent. */
let allow = () => {};
let allowed = Promise.resolve();
let warmed;

/**
 * Brings ICE and DTLS up in both directions with nothing sent: a producer of which the server is told later, and a
 * consumer of nothing.
 */
async function warmUp() {
  allowed = new Promise((done) => {
    allow = done;
  });
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  warmed = transports.send.produce({ track: stream.getTracks()[0], encodings: [{ active: false }] });
  const opus = device.recvRtpCapabilities.codecs.find(
    ({ mimeType }) => mimeType.toLowerCase() === 'audio/opus',
  );
  const codec = {
    mimeType: 'audio/opus',
    payloadType: opus.preferredPayloadType,
    clockRate: 48_000,
    channels: 2,
  };
  await transports.recv.consume({
    id: 'warm',
    producerId: 'warm',
    kind: 'audio',
    rtpParameters: { mid: 'warm', codecs: [codec], encodings: [{ ssrc: 1 }], rtcp: { cname: 'warm' } },
  });
  while ([transports.send, transports.recv].some(({ connectionState }) => connectionState !== 'connected')) {
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** Gets ready for `heardAt`. */
function probe() {
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration) {
      super(configuration);
      watch(this);
    }
  };
}

/** Sends audio as soon as the call is answered, here or there. */
function sendOnAnswer() {
  room.onMessage('call:answered', async () => {
    if (warmed === undefined) return void (await send('audio'));
    allow();
    const { rtpSender } = await warmed;
    const parameters = rtpSender.getParameters();
    for (const encoding of parameters.encodings) encoding.active = true;
    await rtpSender.setParameters(parameters);
  });
}

/** Answers; → when, on the clock that all pages of a machine share. */
function answer() {
  const at = performance.timeOrigin + performance.now();
  return room.request('call:answer', {}).then(() => at);
}

/** Sends a kind; → `done` or the code of the refusal. */
async function send(kind, configuration = {}) {
  await open(configuration);
  const stream = await navigator.mediaDevices.getUserMedia({ [kind]: true });
  try {
    producers.set(kind, await transports.send.produce({ track: stream.getTracks()[0] }));
    return 'done';
  } catch (error) {
    return error.message;
  }
}

/** Stops sending a kind. */
async function stop(kind) {
  const producer = producers.get(kind);
  producer.close();
  await room.request('media:close', { id: producer.id });
}

async function consume(producerId) {
  await open();
  const { consumerId, kind, rtpParameters } = await room.request('media:consume', {
    producerId,
    rtpCapabilities: device.recvRtpCapabilities,
  });
  const consumer = await transports.recv.consume({ id: consumerId, producerId, kind, rtpParameters });
  consumers.set(kind, consumer);
  const element = document.createElement(kind);
  element.autoplay = true;
  element.srcObject = new MediaStream([consumer.track]);
  document.body.append(element);
  await room.request('media:resume', { id: consumerId });
}

/** What has come in of a kind so far. */
async function received(kind) {
  const sum = { bytes: 0, frames: 0, cipher: '' };
  for (const stat of (await consumers.get(kind)?.getStats())?.values() ?? []) {
    if (stat.type === 'inbound-rtp') {
      sum.bytes += stat.bytesReceived;
      sum.frames += stat.framesDecoded ?? 0;
    }
    if (stat.type === 'transport') sum.cipher = stat.srtpCipher ?? '';
  }
  return sum;
}

/** The types of the chosen pair's candidates, by direction, and by what a relay is reached. */
async function routes() {
  const found = {};
  for (const [direction, transport] of Object.entries(transports)) {
    const stats = await transport.getStats();
    const pair = [...stats.values()].find((stat) => stat.type === 'candidate-pair' && stat.nominated);
    const { candidateType, relayProtocol } = stats.get(pair?.localCandidateId) ?? {};
    found[direction] = relayProtocol === undefined ? candidateType : `${candidateType} by ${relayProtocol}`;
  }
  return found;
}

Object.assign(window, {
  duet: {
    sit,
    open,
    sendOnAnswer,
    answer,
    heardAt,
    probe,
    send,
    stop,
    received,
    routes,
    candidates: async () => (await ask())[1].iceCandidates,
    /** The messages of a type that came, with the time of this page. */
    heard: (type) => told.filter((one) => one.type === type),
    ask: (...message) =>
      room.request(...message).catch((error) => Promise.reject(new Error(error.reason?.code))),
  },
});
