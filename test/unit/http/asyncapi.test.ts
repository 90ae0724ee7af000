import { expect, test } from 'vitest';
import { asyncapi } from '../../../rooms/asyncapi.ts';
import { CLOSE } from '../../../rooms/BaseRoom.ts';
import { SeatView } from '../../../src/actors/shapes.ts';

interface Document {
  info: { description: string };
  channels: Record<
    string,
    {
      address: string;
      description: string;
      parameters: object;
      messages: Record<string, { payload: { properties?: Record<string, object> } }>;
    }
  >;
  operations: Record<string, { channel: { $ref: string }; messages: { $ref: string }[] }>;
}

const document = asyncapi('1.2.3') as Document;

test('every channel says what its address is made of', () => {
  expect(Object.keys(document.channels)).toEqual(['inbox', 'match', 'call']);
  for (const { address, parameters } of Object.values(document.channels)) {
    const named = [...address.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(Object.keys(parameters)).toEqual(named);
  }
});

test('every channel says what else than a seat its door asks for', () => {
  for (const { description } of Object.values(document.channels)) {
    expect(description).toContain('`client.auth.token`');
    expect(description).toContain('`_authToken`');
  }
  expect(SeatView.shape.sessionId.meta()?.description).toContain('access token');
});

test('every operation is about messages that are there', () => {
  const messageOf = (reference: string) => {
    const [, , channel, , message] = reference.split('/');
    return document.channels[channel!]!.messages[message!];
  };
  const operations = Object.values(document.operations);
  expect(operations.length).toBeGreaterThan(50);
  for (const { channel, messages } of operations) {
    for (const { $ref } of messages) {
      expect($ref.startsWith(`${channel.$ref}/messages/`)).toBe(true);
      expect(messageOf($ref)).toMatchObject({ payload: {} });
    }
  }
});

test('a time that is a number says of what', () => {
  for (const type of ['call:extend_requested', 'call:upgrade_requested']) {
    const { properties } = document.channels.call!.messages[`server.${type}`]!.payload;
    expect(properties?.until).toMatchObject({
      type: 'integer',
      description: expect.stringContaining('epoch ms'),
    });
  }
});

test('what is referred to is there, from the root of the document', () => {
  const references = JSON.stringify(document)
    .match(/"\$ref":"[^"]*"/g)!
    .map((pair) => pair.slice(8, -1));
  expect(references).toContain('#/components/schemas/Call');
  for (const reference of new Set(references)) {
    const [root, ...names] = reference.split('/');
    expect(root).toBe('#');
    let found: unknown = document;
    for (const name of names) found = (found as Record<string, unknown>)[name];
    expect(found, reference).toBeTypeOf('object');
  }
  expect(JSON.stringify(document)).not.toContain('"$defs"');
});

test('rooms say what the contract says that they do', () => {
  const matchEvents = 'match:created match:ready match:ended match:timeout_warning';
  const promised = {
    inbox: {
      client: 'inbox:ack inbox:replay',
      server: `${matchEvents} call:incoming call:answered call:rejected call:ended session:revoked inbox:resync`,
    },
    match: { client: 'match:accept match:decline match:end call:initiate', server: matchEvents },
    call: {
      client:
        'call:answer call:reject call:end call:extend_request call:extend_decline call:upgrade_request call:upgrade_decline call:downgrade call:sdp_offer call:sdp_answer call:ice_candidate call:e2ee_key media:capabilities media:open media:connect media:produce media:consume media:pause media:resume media:close media:restart_ice',
      server:
        'call:answered call:rejected call:ended call:extend_requested call:extended call:extend_declined call:upgrade_requested call:upgraded call:upgrade_declined call:downgraded call:timeout_warning call:sdp_offer call:sdp_answer call:ice_candidate call:quality call:peer_dropped call:peer_back call:e2ee_key media:producer media:producer_closed media:restart',
    },
  };
  for (const [room, { client, server }] of Object.entries(promised)) {
    const wanted = [
      ...client.split(' ').flatMap((type) => [`client.${type}`, `answer.${type}`]),
      // Sent by every room: the refusal of what came without a request, and the end of a session.
      ...`${server} error session:revoked`.split(' ').map((type) => `server.${type}`),
    ];
    expect(Object.keys(document.channels[room]!.messages)).toEqual(expect.arrayContaining(wanted));
  }
});

test('the codes that connections are closed with are told', () => {
  for (const code of Object.values(CLOSE)) expect(document.info.description).toContain(`${code} (`);
});
