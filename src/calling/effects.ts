/** What comes of a command to a call: the call after it, and what is to happen outside, as data. */
import type { Call, Role } from './state.ts';

/** Told to one person's devices, durably (the inbox), in the transaction of the change. */
export interface NotifyEffect {
  kind: 'notify';
  to: Role;
  type: 'call:incoming' | 'call:answered' | 'call:rejected' | 'call:ended';
}

/** Said to whoever is in the room, after the commit. */
export interface SayEffect {
  kind: 'say';
  type:
    | 'call:answered'
    | 'call:rejected'
    | 'call:ended'
    | 'call:extend_requested'
    | 'call:extended'
    | 'call:extend_declined'
    | 'call:upgrade_requested'
    | 'call:upgraded'
    | 'call:upgrade_declined'
    | 'call:downgraded'
    | 'call:timeout_warning'
    | 'call:peer_dropped'
    | 'call:peer_back';
  /** Who did it, where the event names somebody. */
  by?: Role;
  until?: number;
  remainingMs?: number;
}

export type CallEffect = NotifyEffect | SayEffect;

export type CallChange = { call: Call; effects: CallEffect[] };

export function unchanged(call: Call): CallChange {
  return { call, effects: [] };
}
