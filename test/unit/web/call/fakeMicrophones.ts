import { vi } from 'vitest';

/** The track of a microphone, or what is sent in its place. */
export class FakeTrack extends EventTarget {
  readonly name: string;
  readyState = 'live';
  enabled = true;

  constructor(name = 'microphone') {
    super();
    this.name = name;
  }

  stop(): void {
    this.readyState = 'ended';
  }

  /** Its device is taken away. */
  lose(): void {
    this.stop();
    this.dispatchEvent(new Event('ended'));
  }
}

/** A browser that hands out one of `plugged` after the other, and finds none when there is none left. */
export function browserWith(plugged: FakeTrack[]): EventTarget {
  const mediaDevices = Object.assign(new EventTarget(), {
    getUserMedia: async () => {
      const track = plugged.shift();
      if (track === undefined) throw new DOMException('', 'NotFoundError');
      return { getTracks: () => [track] };
    },
  });
  vi.stubGlobal('navigator', { mediaDevices });
  return mediaDevices;
}
