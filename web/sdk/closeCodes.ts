/** Why the server closed a socket (RFC 6455 section 7.4.2: 4000 to 4999 are the application's). */
export const CLOSED = {
  /** One left by one's own will. */
  consented: 4000,
  /** The same person joined from another device. */
  takenOver: 4101,
  /** The session was revoked. */
  revoked: 4102,
  /** The room is over. */
  ended: 4103,
} as const;

/** Whether a match's or call's room meant it for good. Anything else is a reason to ask for a new seat. */
export function endsSession(code: number): boolean {
  return Object.values(CLOSED).some((final) => final === code);
}
