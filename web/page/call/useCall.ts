import { useEffect, useState } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';

/** Draws the component again whenever something of the call changes. */
export function useCall(session: CallSession): void {
  const [, redraw] = useState({});
  useEffect(() => {
    const again = () => redraw({});
    const stops = [
      session.on('change', again),
      session.on('link', again),
      session.on('remote', again),
      session.on('local', again),
    ];
    again();
    return () => {
      for (const stop of stops) stop();
    };
  }, [session]);
}

/** Milliseconds until a time of the call's snapshot, counted down; null where there is no such time. */
export function useCountdown(session: CallSession, untilMs: number | null): number | null {
  const [, redraw] = useState({});
  useEffect(() => {
    if (untilMs === null) return;
    const timer = setInterval(() => redraw({}), 200);
    return () => clearInterval(timer);
  }, [untilMs]);
  return untilMs === null ? null : Math.max(0, session.untilMs(untilMs));
}
