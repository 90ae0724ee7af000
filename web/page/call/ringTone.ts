import { useEffect } from 'preact/hooks';

/** Two notes, a fifth apart: one for each voice. In Hz. */
const NOTES = { incoming: [587.33, 880], outgoing: [440, 440] } as const;
const EVERY_MS = { incoming: 2_200, outgoing: 3_600 } as const;
const LOUDNESS = { incoming: 0.12, outgoing: 0.04 } as const;

/** Rings while the component is shown, as soon as the browser allows sound. */
export function useRingTone(kind: 'incoming' | 'outgoing', on: boolean): void {
  useEffect(() => {
    if (!on) return;
    const context = new AudioContext();
    const ring = () => {
      // Without a gesture the browser keeps the context suspended; the sheet is still seen.
      if (context.state === 'suspended') void context.resume().catch(() => undefined);
      NOTES[kind].forEach((hertz, index) => {
        play(context, hertz, LOUDNESS[kind], context.currentTime + index * 0.28);
      });
    };
    ring();
    const timer = setInterval(ring, EVERY_MS[kind]);
    return () => {
      clearInterval(timer);
      void context.close();
    };
  }, [kind, on]);
}

function play(context: AudioContext, hertz: number, loudness: number, at: number): void {
  const tone = context.createOscillator();
  const volume = context.createGain();
  tone.type = 'sine';
  tone.frequency.value = hertz;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(loudness, at + 0.03);
  volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.9);
  tone.connect(volume).connect(context.destination);
  tone.start(at);
  tone.stop(at + 1);
}
