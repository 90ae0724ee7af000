import { z } from 'zod';
import type { DeviceKeys } from '../../accounts/DeviceKeys.ts';
import { type Route, route } from '../route.ts';

/** 32 bytes as base64url: 43 characters, of which the last has two bits that must be zero. */
const Ed25519Key = z.string().regex(/^[\w-]{42}[AEIMQUYcgkosw048]$/);

export function deviceKeyRoutes({ deviceKeys }: { deviceKeys: DeviceKeys }): Route[] {
  return [
    route({
      method: 'put',
      path: '/users/me/sessions/current/key',
      summary: "Register this device's key",
      description:
        'The public Ed25519 key (RFC 8032, base64url) that this sign-in signs its `call:e2ee_key` with.',
      tags: ['accounts'],
      who: 'user',
      limit: 'write',
      body: z.strictObject({ key: Ed25519Key }),
      status: 204,
      run: ({ auth, body }) => deviceKeys.register(auth, body.key),
    }),
  ];
}
