/** A client on mediasoup-client in a call's room. Its functions are called by tests through `window.duet`. */
import { Client } from '@colyseus/sdk';
import { Device } from 'mediasoup-client';

let room;
let device;
let transports;
let given;
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

/** Opens both transports; with `warm` they also connect. */
async function open(configuration = {}, warm = false) {
  given ??= (async () => {
    const [{ rtpCapabilities }, send, recv] = await Promise.all([
      room.request('media:capabilities', {}),
      room.request('media:open', { direction: 'send' }),
      room.request('media:open', { direction: 'recv' }),
    ]);
    device = await Device.factory();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    transports = {
      send: wire(device.createSendTransport({ ...send, ...configuration })),
      recv: wire(device.createRecvTransport({ ...recv, ...configuration })),
    };
    transports.send.on('produce', ({ kind, rtpParameters }, done, failed) => {
      room.request('media:produce', { transportId: transports.send.id, kind, rtpParameters }).then(
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

async function warmUp() {
  throw new Error('not yet');
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

/** The types of the chosen pair's candidates, by direction. */
async function routes() {
  const found = {};
  for (const [direction, transport] of Object.entries(transports)) {
    const stats = await transport.getStats();
    const pair = [...stats.values()].find((stat) => stat.type === 'candidate-pair' && stat.nominated);
    found[direction] = pair && stats.get(pair.localCandidateId)?.candidateType;
  }
  return found;
}

Object.assign(window, {
  duet: {
    sit,
    open,
    send,
    stop,
    received,
    routes,
    /** The messages of a type that came, with the time of this page. */
    heard: (type) => told.filter((one) => one.type === type),
    ask: (...message) =>
      room.request(...message).catch((error) => Promise.reject(new Error(error.reason?.code))),
  },
});
