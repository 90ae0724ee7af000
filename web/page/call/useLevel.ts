import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';
import { LevelMeter } from '../../sdk/call/LevelMeter.ts';

/** Writes how loud a track is, 0 to 1, into the element's `--level`, without drawing any component again. */
export function useLevel(
  element: RefObject<HTMLElement | null>,
  track: MediaStreamTrack | null | undefined,
): void {
  useEffect(() => {
    if (!track) return;
    const meter = new LevelMeter(track);
    let shown = 0;
    let frame = requestAnimationFrame(function step() {
      const level = meter.read();
      // Up at once, down slowly: a voice looks like one thing, not like flicker.
      shown = Math.max(level, shown * 0.88);
      element.current?.style.setProperty('--level', shown.toFixed(3));
      frame = requestAnimationFrame(step);
    });
    return () => {
      cancelAnimationFrame(frame);
      meter.close();
      element.current?.style.setProperty('--level', '0');
    };
  }, [element, track]);
}
