import { expect, test } from 'vitest';
import { asyncapi } from '../../../rooms/asyncapi.ts';

interface Document {
  channels: Record<
    string,
    {
      address: string;
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
