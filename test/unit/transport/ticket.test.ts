import { describe, expect, test } from 'vitest';
import { readTicket } from '../../../src/transport/ticket.ts';

describe('readTicket', () => {
  test('reads the address that the SDK makes of a seat', () => {
    const query = 'reconnectionToken=r-1&skipHandshake=1&_authToken=a.b.c&sessionId=s_1';
    expect(readTicket('/process-1/01890a5d-ac96-774b-bcce-b302099a8057', query)).toEqual({
      processId: 'process-1',
      roomId: '01890a5d-ac96-774b-bcce-b302099a8057',
      sessionId: 's_1',
      reconnectionToken: 'r-1',
      skipHandshake: true,
      token: 'a.b.c',
    });
    expect(readTicket('/p/r', 'sessionId=s')).toMatchObject({
      token: undefined,
      reconnectionToken: undefined,
      skipHandshake: false,
    });
  });

  test.each([
    ['/', 'sessionId=s'],
    ['/p', 'sessionId=s'],
    ['/p/r/x', 'sessionId=s'],
    ['/p/r/', 'sessionId=s'],
    ['//r', 'sessionId=s'],
    ['/p/r', ''],
    ['/p/r', 'sessionId='],
    ['/p/r', 'sessionId=a%20b'],
    ['/p/r', 'sessionId=%ff%fe'],
    ['/p/r', 'sessionid=s'],
    ['/p/constructor', 'sessionId=s'],
    ['/p/toString', 'sessionId=s'],
    ['/p/r', 'sessionId=__proto__'],
    ['/p/r', 'sessionId=hasOwnProperty'],
    ['/p/r', 'sessionId=s&reconnectionToken=valueOf'],
    ['/p/r', 'sessionId=s&reconnectionToken='],
    ['/p/r', `sessionId=${'s'.repeat(65)}`],
    ['/p/r', `sessionId=s&_authToken=${'t'.repeat(5_000)}`],
  ])('takes %s?%s for no seat', (path, query) => {
    expect(readTicket(path, query)).toBeUndefined();
  });

  test('of a repeated parameter the first counts, and it is one string', () => {
    expect(readTicket('/p/r', 'sessionId=a&sessionId=b')?.sessionId).toBe('a');
  });
});
