/** The m-lines of a bare RTCPeerConnection's session, as plain data, and what can be said about them. */
import type { types } from 'mediasoup';
import type { LiveProducer } from '../PersonMedia.ts';
import { RtpCapabilities, type RtpParameters } from '../rtpSchemas.ts';
import type { RemoteSection } from './readSession.ts';

/** What the client sends in an m-line. */
export type Up = {
  rtp: RtpParameters;
  /** Whether the server has said that it takes it. */
  receives: boolean;
  /** Whether the client would send if it were let. */
  wantsToSend: boolean;
  producerId: string | null;
};

/** What the server sends in an m-line: the other person. */
export type Down = {
  rtp: types.RtpParameters;
  sends: boolean;
  /** The other's producer, and the consumer that was made of it. */
  producerId: string;
  consumerId: string;
};

/** An m-line. With neither direction it is rejected (port 0), and its place stays taken. */
export type Section = {
  mid: string;
  kind: RemoteSection['kind'];
  line: RemoteSection['line'];
  up: Up | null;
  down: Down | null;
};

/** The mids of the m-lines that the server adds: `duet-a`, and `duet-a2` while one of that name is still there. */
const SERVER_MID = { audio: 'duet-a', video: 'duet-v' } as const;

export function isServerMid(mid: string): boolean {
  return /^duet-[av]\d?$/.test(mid);
}

/** A mid of the server's that no m-line has: one that takes the place of another must not have its mid. */
export function freshMid(sections: readonly Section[], kind: types.MediaKind): string {
  const isFree = (mid: string) => sections.every((one) => one.mid !== mid);
  let [mid, count] = [SERVER_MID[kind] as string, 1];
  while (!isFree(mid)) {
    count += 1;
    mid = `${SERVER_MID[kind]}${count}`;
  }
  return mid;
}

/** Whether an m-line is in use, and not a rejected one whose place may be taken (RFC 8829 section 5.2.2). */
export function isLive({ up, down }: Section): boolean {
  return up !== null || down !== null;
}

/** The m-line in which the client sends a kind: the first one that sends, or else the first that could. */
export function uplinkOf(
  sections: readonly RemoteSection[],
  kind: types.MediaKind,
): RemoteSection | undefined {
  const able = sections.filter((one) => one.kind === kind && one.live && one.rtp !== null);
  return able.find(({ sends }) => sends) ?? able.find(({ mid }) => !isServerMid(mid));
}

/** Whether what was agreed on is not what should be, so that the server has to offer. */
export function isOutdated(
  sections: readonly Section[],
  producers: readonly LiveProducer[],
  allows: (kind: types.MediaKind) => boolean,
): boolean {
  const isGiven = ({ producerId }: LiveProducer) =>
    sections.some(({ down }) => down?.sends && down.producerId === producerId);
  return (
    !producers.every(isGiven) ||
    sections.some(({ kind, up, down }) => {
      if (kind === 'other') return false;
      if (up?.wantsToSend && up.receives !== allows(kind)) return true;
      return down?.sends && !producers.some(({ producerId }) => producerId === down.producerId);
    })
  );
}

/**
 * What a browser plays. Without retransmission streams: NACKs are answered in the stream itself. And without header
 * extensions: in a bundle an id means one thing for good, the worker's ids are fixed, and which ones the client is
 * going to use for its own tracks nobody knows. The SSRC, which is in the description, tells streams apart.
 */
export function playable({ codecs = [] }: types.RtpCapabilities): RtpCapabilities {
  return RtpCapabilities.parse({
    codecs: codecs.filter(({ mimeType }) => !mimeType.endsWith('/rtx')),
    headerExtensions: [],
  });
}
