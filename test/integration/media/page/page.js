/**
 * The browser's end of `browser.test.ts`: mediasoup-client against a bridge that hands messages to a `CallMedia`.
 * Bundled by the test; its functions are called through `window.duet`.
 */
import { Device } from 'mediasoup-client';

const user = new URL(location.href).searchParams.get('user') ?? '';

let device;
let send;
let recv;
let stream;
const consumers = new Map();
const producers = new Map();

/** One message to the bridge; rejects with the code of a refusal. */
async function ask(type, payload = {}) {
  const response = await fetch(`/ask?user=${user}&type=${type}`, {
    method: 'POST',
    body: JSON.stringify(payload),
  });
  const answer = await response.json();
  if (answer.code !== undefined) throw new Error(answer.code);
  return answer;
}

async function join() {
  stream ??= await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 240 } });
  const { rtpCapabilities } = await ask('media:capabilities');
  device = await Device.factory();
  await device.load({ routerRtpCapabilities: rtpCapabilities });
  send = device.createSendTransport(await ask('media:open', { direction: 'send' }));
  recv = device.createRecvTransport(await ask('media:open', { direction: 'recv' }));
  for (const transport of [send, recv]) {
    transport.on('connect', ({ dtlsParameters }, done, fail) => {
      ask('media:connect', { transportId: transport.id, dtlsParameters }).then(done, fail);
    });
  }
  send.on('produce', ({ kind, rtpParameters }, done, fail) => {
    ask('media:produce', { transportId: send.id, kind, rtpParameters }).then(
      ({ producerId }) => done({ id: producerId }),
      fail,
    );
  });
}

/** Sends a kind; → `done` or the code of the refusal. */
async function produce(kind, wish = {}) {
  const track = stream
    .getTracks()
    .find((one) => one.kind === kind)
    .clone();
  try {
    producers.set(kind, await send.produce({ track, ...wish }));
    return 'done';
  } catch (error) {
    // mediasoup-client takes a refused producer off its connection in the background, and what comes too soon fails.
    await new Promise((resolve) => setTimeout(resolve, 300));
    return error.message;
  }
}

async function consume(producerId) {
  const { consumerId, kind, rtpParameters } = await ask('media:consume', {
    producerId,
    rtpCapabilities: device.rtpCapabilities,
  });
  const consumer = await recv.consume({ id: consumerId, producerId, kind, rtpParameters });
  consumers.set(kind, consumer);
  const element = document.createElement(kind);
  element.autoplay = true;
  element.srcObject = new MediaStream([consumer.track]);
  document.body.append(element);
  await ask('media:resume', { id: consumerId });
  return kind;
}

/** What has come in so far, and how it was protected. */
async function received(kind) {
  let bytes = 0;
  let frames = 0;
  let cipher = '';
  for (const stat of (await consumers.get(kind)?.getStats())?.values() ?? []) {
    if (stat.type === 'inbound-rtp') {
      bytes = stat.bytesReceived;
      frames = stat.framesDecoded ?? 0;
    }
    if (stat.type === 'transport') cipher = stat.srtpCipher ?? '';
  }
  return { bytes, frames, cipher };
}

/** Waits until what is sent could go through. */
async function warm() {
  while (send.connectionState !== 'connected') await new Promise((resolve) => setTimeout(resolve, 20));
  return send.connectionState;
}

async function restartIce() {
  const { iceParameters } = await ask('media:restart_ice', { transportId: send.id });
  await send.restartIce({ iceParameters });
}

function leave() {
  send.close();
  recv.close();
}

Object.assign(window, { duet: { ask, join, produce, consume, received, warm, restartIce, leave } });
