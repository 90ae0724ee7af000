/** Every kind of room, by the name that seats carry. */
import { CallRoom } from './CallRoom.ts';
import { InboxRoom } from './InboxRoom.ts';
import { MatchRoom } from './MatchRoom.ts';
import type { RoomServices } from './services.ts';

/** The room classes, closed over what they are given: Colyseus makes rooms by itself, with no arguments. */
export function rooms(services: RoomServices) {
  return {
    inbox: class extends InboxRoom {
      override readonly services = services;
    },
    match: class extends MatchRoom {
      override readonly services = services;
    },
    call: class extends CallRoom {
      override readonly services = services;
    },
  };
}
