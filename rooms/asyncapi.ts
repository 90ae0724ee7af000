import { z } from 'zod';
import { CLIENT_MESSAGES, SERVER_MESSAGES } from './messages.ts';

/** The realtime events as an AsyncAPI 3.0 document, from the schemas that the rooms validate with. */
export function asyncapi(version: string): object {
  const channels: Record<string, object> = {};
  const operations: Record<string, object> = {};
  for (const room of ['inbox', 'match', 'call'] as const) {
    const sent = Object.entries<{ payload: z.ZodType; answer: z.ZodType }>(CLIENT_MESSAGES[room]);
    const received = Object.entries(SERVER_MESSAGES[room]);
    channels[room] = {
      address: `{processId}/{roomId}`,
      parameters: {
        processId: { description: 'Of the seat.' },
        roomId: { description: 'Of the seat.' },
      },
      description: `The room \`${room}\`. Join with a seat from the HTTP API and the Colyseus SDK.`,
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
    info: { title: 'Duet realtime', version },
    defaultContentType: 'application/msgpack',
    channels,
    operations,
  };
}

function message(name: string, payload: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...schema } = z.toJSONSchema(payload, { io, unrepresentable: 'any', reused: 'inline' });
  return { name, payload: schema };
}
