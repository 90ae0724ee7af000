import { z } from 'zod';
import { CLOSE } from './BaseRoom.ts';
import { CLIENT_MESSAGES, SERVER_MESSAGES } from './messages.ts';

const WHY_CLOSED: Record<keyof typeof CLOSE, string> = {
  takenOver: 'the same person joined from another device',
  revoked: 'the session was revoked',
  ended: 'the room is over',
  moved: 'the room moved to another process; ask for a new seat',
  flooding: 'too many messages',
};
const CLOSED = Object.entries(WHY_CLOSED)
  .map(([name, why]) => `${CLOSE[name as keyof typeof CLOSE]} (${why})`)
  .join(', ');

const TO_JOIN =
  'Join with a seat from the HTTP API and the Colyseus SDK, whose `client.auth.token` is an access token of the person whose seat it is: a seat alone admits nobody (4002). The SDK sends it as `_authToken` in the query; a header `Authorization: Bearer` does as well.';

/** The realtime events as an AsyncAPI 3.0 document, from the schemas that the rooms validate with. */
export function asyncapi(version: string): object {
  const channels: Record<string, object> = {};
  const operations: Record<string, object> = {};
  const schemas: Record<string, object> = {};
  const message = (name: string, payload: z.ZodType, io: 'input' | 'output') => ({
    name,
    payload: schemaOf(payload, io, schemas),
  });
  for (const room of ['inbox', 'match', 'call'] as const) {
    const sent = Object.entries<{ payload: z.ZodType; answer: z.ZodType }>(CLIENT_MESSAGES[room]);
    const received = Object.entries(SERVER_MESSAGES[room]);
    channels[room] = {
      address: `{processId}/{roomId}`,
      parameters: {
        processId: { description: 'Of the seat.' },
        roomId: { description: 'Of the seat.' },
      },
      description: `The room \`${room}\`. ${TO_JOIN}`,
      messages: Object.fromEntries([
        ...sent.map(([type, { payload }]) => [`client.${type}`, message(type, payload, 'input')]),
        ...sent.map(([type, { answer }]) => [
          `answer.${type}`,
          message(`${type} (answer)`, answer, 'output'),
        ]),
        ...received.map(([type, payload]) => [`server.${type}`, message(type, payload, 'output')]),
      ]),
    };
    for (const [type] of sent) {
      operations[`${room}.receive.${type}`] = {
        action: 'receive',
        channel: { $ref: `#/channels/${room}` },
        messages: [{ $ref: `#/channels/${room}/messages/client.${type}` }],
        reply: { messages: [{ $ref: `#/channels/${room}/messages/answer.${type}` }] },
      };
    }
    for (const [type] of received) {
      operations[`${room}.send.${type}`] = {
        action: 'send',
        channel: { $ref: `#/channels/${room}` },
        messages: [{ $ref: `#/channels/${room}/messages/server.${type}` }],
      };
    }
  }
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Duet realtime',
      version,
      description: `Each client message may be sent with \`room.send\` or \`room.request\`. A request that is refused rejects with what the message \`error\` says. The server closes a connection with ${CLOSED}.`,
    },
    defaultContentType: 'application/msgpack',
    channels,
    operations,
    components: { schemas },
  };
}

/** The JSON Schema of a payload; what has a name goes into `schemas`, where all of the document refers to it. */
function schemaOf(payload: z.ZodType, io: 'input' | 'output', schemas: Record<string, object>): object {
  const made = z.toJSONSchema(payload, { io, unrepresentable: 'any', reused: 'inline' });
  const { $schema: _, $defs = {}, ...schema } = referringTo('#/components/schemas/', made);
  for (const [name, named] of Object.entries($defs)) {
    const known = schemas[name] ?? named;
    if (JSON.stringify(known) !== JSON.stringify(named)) throw new Error(`Two schemas are called ${name}`);
    schemas[name] = named as object;
  }
  return schema;
}

function referringTo<T extends object>(place: string, schema: T): T {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    key === '$ref' && typeof value === 'string' ? value.replace('#/$defs/', place) : value,
  );
}
