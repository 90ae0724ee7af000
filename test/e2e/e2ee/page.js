// Runs in the page before its own scripts: overhears what keys are made of, and decodes what was tapped elsewhere.
const overheard = [];
const { importKey } = SubtleCrypto.prototype;
SubtleCrypto.prototype.importKey = function (format, material, algorithm, ...rest) {
  if (algorithm === 'HKDF') overheard.push([...new Uint8Array(material)]);
  return importKey.call(this, format, material, algorithm, ...rest);
};
globalThis.overheard = overheard;

/** How many VP8 frames (base64) Chromium's decoder makes a picture of, beginning with the first key frame. */
globalThis.picturesOf = async (frames) => {
  let pictures = 0;
  const decoder = new VideoDecoder({
    output(picture) {
      pictures++;
      picture.close();
    },
    error() {},
  });
  decoder.configure({ codec: 'vp8' });
  const chunks = frames.map((base64) =>
    Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)),
  );
  const isKeyFrame = (data) => (data[0] & 1) === 0;
  const first = chunks.findIndex(isKeyFrame);
  for (const [i, data] of chunks.slice(Math.max(first, 0)).entries()) {
    if (decoder.state !== 'configured') break;
    const type = isKeyFrame(data) ? 'key' : 'delta';
    decoder.decode(new EncodedVideoChunk({ type, timestamp: i * 40_000, data }));
  }
  if (decoder.state === 'configured') await decoder.flush().catch(() => undefined);
  return pictures;
};
