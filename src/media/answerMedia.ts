import type { CallMedia } from './CallMedia.ts';
import type { MediaMessage, MediaMessageType } from './messages.ts';

/** What each message asks of the media of a call, and answers; nothing means `{}`. */
const ANSWERS: {
  readonly [T in MediaMessageType]: (media: CallMedia, userId: string, payload: MediaMessage<T>) => unknown;
} = {
  'media:capabilities': (media) => ({ rtpCapabilities: media.rtpCapabilities }),
  'media:open': (media, userId, { direction }) => media.open(userId, direction),
  'media:connect': (media, userId, { transportId, dtlsParameters }) =>
    media.connect(userId, transportId, dtlsParameters),
  'media:prepare': (media, userId, { transportId, rtpParameters, rtpCapabilities }) =>
    media.prepare(userId, transportId, rtpParameters, rtpCapabilities),
  'media:produce': async (media, userId, { transportId, kind, rtpParameters }) => ({
    producerId: await media.produce(userId, transportId, kind, rtpParameters),
  }),
  'media:consume': (media, userId, { producerId, rtpCapabilities }) =>
    media.consume(userId, producerId, rtpCapabilities),
  'media:pause': (media, userId, { id }) => media.pause(userId, id),
  'media:resume': (media, userId, { id }) => media.resume(userId, id),
  'media:close': (media, userId, { id }) => media.closeItem(userId, id),
  'media:restart_ice': (media, userId, { transportId }) => media.restartIce(userId, transportId),
};

/** Does what a person's message asks for. The payload has passed `MEDIA_MESSAGES`. Throws what `CallMedia` throws. */
export function answerMedia<T extends MediaMessageType>(
  media: CallMedia,
  userId: string,
  type: T,
  payload: MediaMessage<T>,
): unknown {
  return ANSWERS[type](media, userId, payload);
}
