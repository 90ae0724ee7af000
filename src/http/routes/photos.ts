import { z } from 'zod';
import type { Photos } from '../../people/Photos.ts';
import { type Route, route } from '../route.ts';

export interface PhotoRoutesDeps {
  photos: Photos;
}

const TYPE = 'image/webp';
/** What browsers may do with a photo: show it, anywhere, and nothing else. */
const HEADERS = {
  'content-type': TYPE,
  'content-security-policy': "default-src 'none'; sandbox",
  'cross-origin-resource-policy': 'cross-origin',
  // Short: a block or a removed photo must not live on in a browser for long.
  'cache-control': 'private, max-age=60',
};

/** The files behind the signed addresses in `Photo`. */
export function photoRoutes({ photos }: PhotoRoutesDeps): Route[] {
  return [
    route({
      method: 'get',
      base: '',
      path: '/photos/:key/:file',
      summary: 'A photo, by its signed address',
      description:
        '403 for an address that is wrong, expired, or of somebody who is not yours to see any more.',
      tags: ['users'],
      who: 'anyone',
      limit: 'none',
      params: z.strictObject({ key: z.string().max(64), file: z.string().max(16) }),
      unfit: 'FORBIDDEN',
      query: z.strictObject({ t: z.string().max(128).default(''), s: z.string().max(64).default('') }),
      status: 200,
      produces: TYPE,
      sends: {
        'cache-control': 'For the viewer alone, and a minute.',
        'content-security-policy': 'Nothing but to be shown.',
        'cross-origin-resource-policy': '`cross-origin`: pages of any origin may show it.',
      },
      run: async ({ params, query, reply }) => {
        const body = await photos.file(params.key, params.file, query.t, query.s);
        return reply({ status: 200, headers: HEADERS, body });
      },
    }),
  ];
}
