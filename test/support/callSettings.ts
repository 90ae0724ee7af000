import type { CallSettings } from '../../src/calling/state.ts';

/** Of calls that nothing falls due in while a test looks at them. */
export const PATIENT_CALLS: CallSettings = {
  ringMs: 60_000,
  durationMs: 60_000,
  extensionMs: 60_000,
  maxExtensions: 3,
  warningMs: 1_000,
  requestMs: 20_000,
  reconnectMs: 60_000,
};
