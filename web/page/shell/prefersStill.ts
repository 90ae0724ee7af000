/** Whether this person has asked the system for as little motion as can be. */
export function prefersStill(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
