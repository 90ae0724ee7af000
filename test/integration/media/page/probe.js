/**
 * When the first packet of the other's sound is there, to the millisecond: in the worker through which encoded frames
 * go before they are decoded. Statistics are 50 ms old, and `getSynchronizationSources` waits for the jitter buffer.
 */
const CHANNEL = 'first frame';

const first = new Promise((done) => {
  new BroadcastChannel(CHANNEL).onmessage = ({ data }) => done(data);
});

/** Begins the program of any such worker: tells when it first hands on a frame that was received. */
function noteFirst(channelName) {
  const channel = new BroadcastChannel(channelName);
  const { prototype } = TransformStreamDefaultController;
  const { enqueue } = prototype;
  prototype.enqueue = function (frame) {
    // What is sent has no sequence number yet.
    if (frame.getMetadata?.().sequenceNumber !== undefined) {
      prototype.enqueue = enqueue;
      channel.postMessage(performance.timeOrigin + performance.now());
    }
    return enqueue.call(this, frame);
  };
}

/** Hands everything on as it comes. */
function pass() {
  globalThis.onrtctransform = ({ transformer: { readable, writable } }) => {
    const through = new TransformStream({ transform: (frame, to) => to.enqueue(frame) });
    readable.pipeThrough(through).pipeTo(writable);
  };
}

function programOf(program) {
  const text = `(${noteFirst})(${JSON.stringify(CHANNEL)});${program}`;
  return URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
}

/** Looks at what a connection receives, where nothing else does. */
export function watch(connection) {
  const worker = new Worker(programOf(`(${pass})()`), { type: 'module' });
  connection.addEventListener('track', ({ receiver, track }) => {
    if (track.kind === 'audio') receiver.transform = new RTCRtpScriptTransform(worker);
  });
}

/** Looks into the worker of end-to-end encryption instead, whose program is given: tells of the first opened frame. */
export function watchEncryption(program) {
  window.Worker = class extends Worker {
    constructor() {
      super(programOf(program), { type: 'module' });
    }
  };
}

/** On the clock that all pages of a machine share. */
export const heardAt = () => first;
