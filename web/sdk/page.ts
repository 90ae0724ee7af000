type Listen = (type: 'online' | 'offline', listener: () => void) => void;
/** `setTimeout` only so that every global scope is one of these. */
type MaybeWindow = { setTimeout: unknown; addEventListener?: Listen; removeEventListener?: Listen };

/** The window's events, where there is a window. */
export const page: MaybeWindow = globalThis;
