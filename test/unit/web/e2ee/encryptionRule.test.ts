import { describe, expect, test } from 'vitest';
import { type EncryptionFacts, judgeEncryption } from '../../../../web/sdk/e2ee/encryptionRule.ts';
import { KnownDevices } from '../../../../web/sdk/e2ee/KnownDevices.ts';
import { PeerDevices } from '../../../../web/sdk/e2ee/PeerDevices.ts';
import { MemoryVault } from '../../../../web/sdk/e2ee/Vault.ts';

const FRESH: EncryptionFacts = {
  isSupported: true,
  isLoading: false,
  hasAnnounced: false,
  isKnownCapable: false,
  peer: { produces: false, isAble: false },
  refusal: null,
  isUnregistered: false,
  isStalled: false,
  isUndecodable: false,
  isAllowedClear: false,
  hasEarlyKeys: false,
  hasKeys: false,
  current: null,
};
const PLAIN = { produces: true, isAble: false };
const CURRENT = { words: ['a', 'b', 'c', 'd'], device: 'd', trust: 'known' } as const;

function judge(facts: Partial<EncryptionFacts>) {
  const { state, reason, sends } = judgeEncryption({ ...FRESH, ...facts });
  return [state, reason, sends];
}

describe('frames go out', () => {
  test.each<[string, Partial<EncryptionFacts>, unknown[]]>([
    ['not at all before anything is known', { isSupported: undefined }, ['off', 'agreeing', 'held']],
    [
      'not while what encrypts is waited for, whatever this person wants',
      { isSupported: undefined, isLoading: true, isAllowedClear: true },
      ['off', 'loading', 'held'],
    ],
    ['not at all while keys are agreed on', { hasAnnounced: true }, ['off', 'agreeing', 'held']],
    [
      'clear where this browser cannot',
      { isSupported: false, hasAnnounced: true },
      ['off', 'browser', 'clear'],
    ],
    ['clear to a client that never spoke of it', { peer: PLAIN }, ['off', 'peer', 'clear']],
    [
      'not to one that has said that it can, whatever the server says since',
      { peer: PLAIN, hasAnnounced: true },
      ['off', 'agreeing', 'held'],
    ],
    [
      'encrypted with early keys',
      { hasAnnounced: true, hasEarlyKeys: true },
      ['off', 'agreeing', 'encrypted'],
    ],
    [
      'not with early keys once the agreement is kept back',
      { isStalled: true, hasAnnounced: true, hasEarlyKeys: true },
      ['off', 'stripped', 'held'],
    ],
    ['not to one who could before', { peer: PLAIN, isKnownCapable: true }, ['off', 'stripped', 'held']],
    [
      'not while the own key is not registered, which is nobody else’s doing',
      { isUnregistered: true, hasAnnounced: true },
      ['off', 'unregistered', 'held'],
    ],
    [
      'not when the agreement is kept back',
      { isStalled: true, hasAnnounced: true },
      ['off', 'stripped', 'held'],
    ],
    ['not when a key was swapped', { refusal: 'tampered', hasAnnounced: true }, ['off', 'tampered', 'held']],
    ['encrypted with keys', { hasKeys: true, current: CURRENT }, ['on', null, 'encrypted']],
    [
      'encrypted with keys that the other has not confirmed',
      { hasKeys: true, peer: PLAIN },
      ['off', 'agreeing', 'encrypted'],
    ],
    [
      'encrypted to a verified device',
      { hasKeys: true, current: { ...CURRENT, trust: 'verified' } },
      ['verified', null, 'encrypted'],
    ],
    [
      'not when the words were not the same',
      { hasKeys: true, current: CURRENT, refusal: 'mismatch' },
      ['off', 'mismatch', 'held'],
    ],
    [
      'encrypted, but not called on, when nothing that comes can be opened',
      { hasKeys: true, current: CURRENT, isUndecodable: true },
      ['off', 'undecodable', 'encrypted'],
    ],
    [
      'clear where this person wants it so',
      { peer: PLAIN, isKnownCapable: true, isAllowedClear: true },
      ['off', 'stripped', 'clear'],
    ],
    [
      'never clear while there are keys, not even then',
      { hasKeys: true, current: CURRENT, refusal: 'mismatch', isAllowedClear: true },
      ['off', 'mismatch', 'encrypted'],
    ],
  ])('%s', (_, facts, expected) => {
    expect(judge(facts)).toEqual(expected);
  });

  test('clear in no case in which the other has announced that it can, unless this person or browser says so', () => {
    const flags = [true, false];
    for (const isKnownCapable of flags)
      for (const produces of flags)
        for (const isAble of flags)
          for (const isStalled of flags)
            for (const hasKeys of flags)
              for (const refusal of ['tampered', 'mismatch', null] as const) {
                const facts = { isKnownCapable, isStalled, hasKeys, refusal, hasAnnounced: true };
                expect(judge({ ...facts, peer: { produces, isAble } })[2]).not.toBe('clear');
              }
  });
});

describe('devices of others', () => {
  test('are trusted on first use, and a change is told', async () => {
    const known = new KnownDevices(new MemoryVault(), 'ann');
    expect(await known.hasAny('bob')).toBe(false);
    expect(await known.meet('bob', 'phone')).toBe('new');
    expect(await known.meet('bob', 'phone')).toBe('known');
    expect(await known.meet('bob', 'tablet')).toBe('changed');
    await known.noteWords('bob', 'phone', true);
    expect(await known.meet('bob', 'phone')).toBe('verified');
    expect(await known.meet('bob', 'tablet')).toBe('known');
    expect(await known.meet('bob', 'stranger')).toBe('changed');
    await known.noteWords('bob', 'phone', false);
    expect(await known.meet('bob', 'phone')).toBe('differed');
    expect(await known.meet('bob', 'phone')).toBe('differed');
    expect(await known.differed('bob')).toEqual(['phone']);
    await known.noteWords('bob', 'phone', true);
    expect(await known.meet('bob', 'phone')).toBe('verified');
    expect(await known.differed('bob')).toEqual([]);
    expect(await known.meet('carl', 'phone')).toBe('new');
    expect(await known.hasAny('bob')).toBe(true);
  });

  test('what was compared stays compared, also when an agreement comes about in the same moment', async () => {
    for (const areSame of [true, false]) {
      const trust = areSame ? 'verified' : 'differed';
      for (const isMetFirst of [true, false]) {
        const known = new KnownDevices(new MemoryVault(), 'ann');
        const deeds = [() => known.meet('bob', 'phone'), () => known.noteWords('bob', 'phone', areSame)];
        await Promise.all((isMetFirst ? deeds : deeds.toReversed()).map((deed) => deed()));
        expect(await known.meet('bob', 'phone')).toBe(trust);
      }
      const devices = new PeerDevices(new KnownDevices(new MemoryVault(), 'ann'), 'bob');
      const meeting = devices.meet('phone', ['one', 'two']);
      await devices.noteWords('phone', areSame);
      expect(await meeting).toBe(trust);
    }
  });

  test('compared ones are not pushed out by any number of others, nor do people share them', async () => {
    const vault = new MemoryVault();
    const known = new KnownDevices(vault, 'ann');
    await known.meet('bob', 'phone');
    await known.noteWords('bob', 'phone', true);
    await known.noteWords('bob', 'stranger', false);
    for (let i = 0; i < 50; i++) await known.meet('bob', `device ${i}`);
    expect(await known.meet('bob', 'phone')).toBe('verified');
    expect(await known.meet('bob', 'stranger')).toBe('differed');
    expect(await known.meet('bob', 'device 0')).toBe('changed');
    expect(await new KnownDevices(vault, 'eve').hasAny('bob')).toBe(false);
  });
});
