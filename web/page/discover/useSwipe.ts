import type { RefObject } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import { prefersStill } from '../shell/prefersStill.ts';
import type { Decision } from './PersonCard.tsx';

/** How far a card must be drawn to be decided on. */
const DECIDE_PX = 96;
/** Less than this is a tap, not a drag. */
const TAP_PX = 6;
const FLIGHT_MS = 260;

type Drag = { id: number; x: number; y: number; dx: number };

/** Drawing a card to a side decides, a tap turns its photos. */
export function useSwipe(
  element: RefObject<HTMLElement | null>,
  decide: (decision: Decision) => void,
  turn: (by: 1 | -1) => void,
) {
  const drag = useRef<Drag | null>(null);
  const flying = useRef(false);
  const latest = useRef({ decide, turn });
  latest.current = { decide, turn };

  return useMemo(() => {
    const show = (dx: number) => element.current?.style.setProperty('--drag', `${dx}`);

    const fly = (decision: Decision) => {
      const card = element.current;
      if (!card || flying.current) return;
      flying.current = true;
      card.dataset.flight = decision;
      setTimeout(
        () => {
          latest.current.decide(decision);
          flying.current = false;
          delete card.dataset.flight;
          show(0);
        },
        prefersStill() ? 0 : FLIGHT_MS,
      );
    };

    const release = (event: PointerEvent) => {
      const now = drag.current;
      if (!now || now.id !== event.pointerId) return;
      drag.current = null;
      element.current?.classList.remove('dragged');
      if (Math.abs(now.dx) >= DECIDE_PX && event.type === 'pointerup') {
        fly(now.dx > 0 ? 'like' : 'pass');
        return;
      }
      show(0);
      if (
        Math.abs(now.dx) < TAP_PX &&
        event.type === 'pointerup' &&
        event.currentTarget instanceof HTMLElement
      ) {
        const box = event.currentTarget.getBoundingClientRect();
        latest.current.turn(event.clientX > box.left + box.width / 2 ? 1 : -1);
      }
    };

    const handlers = {
      onPointerDown: (event: PointerEvent) => {
        if (event.button !== 0 || flying.current) return;
        drag.current = { id: event.pointerId, x: event.clientX, y: event.clientY, dx: 0 };
      },
      onPointerMove: (event: PointerEvent) => {
        const now = drag.current;
        if (!now || now.id !== event.pointerId) return;
        now.dx = event.clientX - now.x;
        if (Math.abs(now.dx) < TAP_PX) return;
        if (event.currentTarget instanceof HTMLElement)
          event.currentTarget.setPointerCapture(event.pointerId);
        element.current?.classList.add('dragged');
        show(now.dx);
      },
      onPointerUp: release,
      onPointerCancel: release,
    };
    return { fly, handlers };
  }, [element]);
}
