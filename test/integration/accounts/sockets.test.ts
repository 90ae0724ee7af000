import { Client } from '@colyseus/sdk';
import { describe, expect, it } from 'vitest';
import { useApp } from '../../support/app.ts';
import type { Inbox, Person } from '../../support/client.ts';
import { registerPerson, signIn, TEST_PASSWORD } from '../../support/signedIn.ts';

const app = useApp();

/** One user signed in on two devices, each with an open inbox. */
async function twoDevices(): Promise<{ phone: Person; laptop: Person; onPhone: Inbox; onLaptop: Inbox }> {
  const phone = await registerPerson(app.url);
  const laptop = await signIn(app.url, phone.email);
  return { phone, laptop, onPhone: await phone.inbox(), onLaptop: await laptop.inbox() };
}

/** Resolves with the code with which the server has closed a room's socket after `request`. */
async function closedBy(inbox: Inbox, request: () => Promise<unknown>): Promise<number> {
  const closed = new Promise<number>((resolve) => inbox.room.onLeave(resolve));
  await request();
  return closed;
}

const REVOKED = 4102;

const isOpen = (inbox: Inbox) => inbox.room.connection.isOpen;

describe('open rooms', () => {
  it('are closed on signing out, told why, and those of other sessions are not (AUTH-13)', async () => {
    const { phone, onPhone, onLaptop } = await twoDevices();
    const told = onPhone.next('session:revoked');
    expect(await closedBy(onPhone, () => phone.ok('POST', '/auth/logout'))).toBe(REVOKED);
    expect(await told).toEqual({ at: expect.stringMatching(/^\d{4}-.*Z$/) });
    expect(isOpen(onLaptop)).toBe(true);
    expect((await phone.call('POST', '/realtime/inbox')).status).toBe(401);
  });

  it('of the other sessions are closed when the password changes (AUTH-15)', async () => {
    const { phone, onPhone, onLaptop } = await twoDevices();
    const body = { currentPassword: TEST_PASSWORD, newPassword: 'a quiet violet harbour' };
    const change = () => phone.ok('POST', '/auth/change-password', body);
    expect(await closedBy(onLaptop, change)).toBe(REVOKED);
    expect(isOpen(onPhone)).toBe(true);
  });

  it('of one session are closed by another of the same user', async () => {
    const { phone, onPhone, onLaptop } = await twoDevices();
    const { items } = await phone.ok('GET', '/users/me/sessions');
    const other = items.find((item: { current: boolean }) => !item.current);
    const end = () => phone.ok('DELETE', `/users/me/sessions/${other.id}`);
    expect(await closedBy(onLaptop, end)).toBe(REVOKED);
    expect(isOpen(onPhone)).toBe(true);
  });

  it('are not opened again by a reconnection token of an ended session (AUTH-17)', async () => {
    const { phone, onPhone } = await twoDevices();
    const token = onPhone.room.reconnectionToken;
    await closedBy(onPhone, () => phone.ok('POST', '/auth/logout'));
    const sdk = new Client(app.url);
    sdk.auth.token = phone.token;
    await expect(sdk.reconnect(token)).rejects.toThrow();
  });

  it('are not entered with a seat that was given before the session ended', async () => {
    const { phone } = await twoDevices();
    const { seat } = await phone.ok('POST', '/realtime/inbox');
    await phone.ok('POST', '/auth/logout');
    await expect(phone.sit(seat)).rejects.toThrow();
  });
});
