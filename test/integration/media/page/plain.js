/**
 * All that a client needs to call somebody with a bare RTCPeerConnection: the room's descriptions go in, its own go
 * out. No media library. Its functions are called by tests through `window.duet`.
 */
import { Client } from '@colyseus/sdk';

let room;
let pc;
let outcome;
window.onunhandledrejection = ({ reason }) => refusals.push(String(reason));
const refusals = [];

/** Takes a seat in the call's room. */
async function sit(url, token, seat) {
  const sdk = new Client(url);
  sdk.auth.token = token;
  room = await sdk.consumeSeatReservation(seat);
  room.onMessage('call:sdp_answer', ({ sdp }) => pc.setRemoteDescription({ type: 'answer', sdp }));
  room.onMessage('call:sdp_offer', async ({ sdp }) => {
    // An own offer that crossed it is rolled back by this, and `negotiationneeded` fires again afterwards.
    await pc.setRemoteDescription({ type: 'offer', sdp });
    await pc.setLocalDescription();
    room.send('call:sdp_answer', { sdp: pc.localDescription.sdp });
  });
  room.onMessage('call:ended', (end) => {
    outcome = end.outcome;
    pc?.close();
  });
  room.onMessage('error', ({ type, code }) => refusals.push(`${type} ${code}`));
  room.onMessage('*', () => {});
}

/** Starts to send a kind; the first time also the connection. */
async function send(kind, configuration = {}) {
  const stream = await navigator.mediaDevices.getUserMedia({ [kind]: true });
  if (pc === undefined) {
    pc = new RTCPeerConnection(configuration);
    pc.onnegotiationneeded = async () => {
      await pc.setLocalDescription();
      room.send('call:sdp_offer', { sdp: pc.localDescription.sdp });
    };
    pc.onicecandidate = ({ candidate }) => candidate && room.send('call:ice_candidate', { candidate });
    pc.ontrack = ({ track, streams }) => play(track.kind, streams[0]);
  }
  pc.addTrack(stream.getTracks()[0], stream);
}

function play(kind, stream) {
  const element = document.createElement(kind);
  element.autoplay = true;
  element.srcObject = stream;
  document.body.append(element);
}

/** What has come in of a kind so far. */
async function received(kind) {
  const sum = { bytes: 0, frames: 0, cipher: '' };
  for (const stat of (await pc.getStats()).values()) {
    if (stat.type === 'inbound-rtp' && stat.kind === kind) {
      sum.bytes += stat.bytesReceived;
      sum.frames += stat.framesDecoded ?? 0;
    }
    if (stat.type === 'transport') sum.cipher = stat.srtpCipher ?? '';
  }
  return sum;
}

/** Stops sending a kind. */
function stop(kind) {
  const sender = pc.getSenders().find(({ track }) => track?.kind === kind);
  sender.track.stop();
  pc.removeTrack(sender);
}

/** Sets the direction of the m-line in which the other's track of a kind comes: `inactive` is hold. */
function take(kind, direction) {
  receiving(kind).direction = direction;
}

/** Stops the m-line in which the other's track of a kind comes. */
function refuse(kind) {
  receiving(kind).stop();
}

/** The transceiver in which the other's track of a kind comes, or came. */
function receiving(kind) {
  const mid = new RegExp(`^duet-${kind[0]}`);
  return pc.getTransceivers().findLast((one) => mid.test(one.mid));
}

/** Gives the connection up; `send` makes a new one. */
function renew() {
  pc.close();
  pc = undefined;
}

/** How the call ended, and what is left of the connection then. */
function ending() {
  return { outcome, connectionState: pc.connectionState };
}

/** What a test wants to see of the connection. */
function connection() {
  const { connectionState, signalingState, localDescription, remoteDescription } = pc;
  const lines = (description) => description?.sdp.match(/^a=ice-ufrag.*$/gm) ?? [];
  const ufrags = [lines(localDescription)[0], lines(remoteDescription)[0]];
  const directions = pc.getTransceivers().map((transceiver) => transceiver.currentDirection);
  return { connectionState, signalingState, ufrags, directions, refusals, localSdp: localDescription.sdp };
}

Object.assign(window, {
  duet: {
    sit,
    send,
    stop,
    take,
    refuse,
    renew,
    received,
    connection,
    ending,
    restartIce: () => pc.restartIce(),
    ask: (...message) =>
      room.request(...message).catch((error) => Promise.reject(new Error(error.reason?.code))),
  },
});
