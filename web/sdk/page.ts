type Listen = (type: 'online' | 'offline', listener: () => void) => void;
/** `setTimeout` only so that every global scope is one of these. */
type MaybeWindow = { setTimeout: unknown; addEventListener?: Listen; removeEventListener?: Listen };

/** The window's events, where there is a window. */
export const page: MaybeWindow = globalThis;

/** In Node a timer and a channel keep the program from ending; what is only there for later is not worth that. */
export function keepNothingAlive(thing: object | number): void {
  if (typeof thing === 'object' && 'unref' in thing && typeof thing.unref === 'function') thing.unref();
}
