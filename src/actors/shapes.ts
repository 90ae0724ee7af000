import { z } from 'zod';

/** A seat as the contract shows it: hand it to the Colyseus SDK's `consumeSeatReservation`. */
export const SeatView = z
  .strictObject({
    name: z.enum(['inbox', 'match', 'call']),
    roomId: z.string(),
    processId: z.string(),
    sessionId: z.string().meta({
      description:
        'A secret: admits its user once, within 15 seconds, together with an access token (`client.auth.token` of the SDK).',
    }),
    publicAddress: z.string().optional().meta({ description: 'Where to connect; absent: where you asked.' }),
    serverNow: z
      .int()
      .meta({ description: "Epoch milliseconds of the clock that a room's deadlines are written in." }),
  })
  .meta({ id: 'Seat' });
