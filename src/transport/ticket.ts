/** What the address of a socket says: which room, on which seat. */
export type Ticket = {
  processId: string;
  roomId: string;
  sessionId: string;
  reconnectionToken: string | undefined;
  /** The client has the room's schema from before and needs no second one. */
  skipHandshake: boolean;
  /** The access token. It stands in the address, so no address of a socket is ever logged. */
  token: string | undefined;
};

const PATH = /^\/([A-Za-z0-9_-]{1,64})\/([A-Za-z0-9_-]{1,64})$/;
const ID = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_TOKEN = 4096;

/** Reads `/processId/roomId?sessionId=…`; `undefined` for every other address. */
export function readTicket(path: string, query: string): Ticket | undefined {
  const match = PATH.exec(path);
  if (match === null) return undefined;
  const values = new URLSearchParams(query);
  const processId = match[1]!;
  const roomId = match[2]!;
  const sessionId = values.get('sessionId') ?? '';
  const reconnectionToken = values.get('reconnectionToken') ?? undefined;
  const token = values.get('_authToken') ?? undefined;
  if (!isPlainId(roomId) || !isPlainId(sessionId)) return undefined;
  if (reconnectionToken !== undefined && !isPlainId(reconnectionToken)) return undefined;
  if (token !== undefined && token.length > MAX_TOKEN) return undefined;
  return {
    processId,
    roomId,
    sessionId,
    reconnectionToken,
    skipHandshake: values.has('skipHandshake'),
    token,
  };
}

/**
 * Colyseus looks rooms, seats and tokens up in plain objects, where `constructor` and `__proto__` are always found.
 */
function isPlainId(text: string): boolean {
  return ID.test(text) && !(text in Object.prototype);
}
