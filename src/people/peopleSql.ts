/** The statements of people: rows as they are stored, loaded in batches. */
import { sql } from '../db/sql.ts';
import type { StoredText } from '../platform/DataKeys.ts';
import type { StoredPhoto } from './Photos.ts';
import type { Gender, Me } from './shapes.ts';
import { PAIR_SQL } from './sightings.ts';

/** What a card is made of: the same for every viewer, and what the cache keeps of a person. */
export interface Person {
  id: string;
  /** Raised by every change of what is on a card. */
  version: number;
  displayName: string;
  birthDate: string;
  gender: Gender;
  bio: string;
  interests: string[];
  cell: string | null;
  hideDistance: boolean;
  photos: StoredPhoto[];
}

/** What nobody but the person sees, and what discovery asks of a viewer. */
export interface Self extends Person {
  email: StoredText;
  emailVerified: boolean;
  role: Me['role'];
  tier: Me['tier'];
  status: Me['status'];
  minAge: number;
  maxAge: number;
  genders: Gender[];
  maxDistanceKm: number;
  discoverable: boolean;
  createdAt: number;
}

const PHOTOS_OF = `coalesce((
  select json_agg(json_build_object('id', p.id, 'key', p.key, 'width', p.width, 'height', p.height,
           'position', p.position, 'placeholder', p.placeholder) order by p.position)
  from photos p where p.user_id = u.id and p.ready), '[]'::json) as photos`;

const PERSON = `u.id, u.version, u.display_name as "displayName", u.birth_date as "birthDate", u.gender, u.bio, u.interests, u.cell,
  u.hide_distance as "hideDistance", ${PHOTOS_OF}`;

export const loadPeople = sql<Person>(
  'people-load',
  `select ${PERSON} from users u where u.id = any ($1::uuid[])`,
);

export const loadSelf = sql<Self>(
  'people-self',
  `select ${PERSON}, u.email, u.email_verified_at is not null as "emailVerified", u.role, u.tier, u.status,
     u.min_age as "minAge", u.max_age as "maxAge", u.genders, u.max_distance_km as "maxDistanceKm",
     u.discoverable, u.created_at as "createdAt"
   from users u where u.id = $1 and u.status <> 'deleted'`,
);

/** Which of some people a viewer may see at all: active ones, no block either way. Asked anew for every answer. */
export const visiblePeople = sql<{ id: string; version: number }>(
  'people-visible',
  `select u.id, u.version from users u
   where u.id = any ($2::uuid[]) and u.status = 'active'
     and u.id not in (select blocker_id from blocks where blocked_id = $1 and blocker_id = any ($2::uuid[])
                      union all select blocked_id from blocks where blocker_id = $1 and blocked_id = any ($2::uuid[]))`,
);

/** Whether a viewer has met somebody: a match of the two, or discovery has shown them lately. */
export const hasMet = sql<{ met: boolean }>(
  'people-has-met',
  `select exists (select from matches where low_id = least($1::uuid, $2::uuid) and high_id = greatest($1::uuid, $2::uuid))
       or exists (select from sightings s where s.month = any ($3::date[])
                  and ${PAIR_SQL} = uuid_send($1::uuid) || uuid_send($2::uuid)) as met`,
);

/** The people of the demo town. */
export const loadDemoPeople = sql<{ id: string; email: string }>(
  'people-demo',
  `select id, email from users where email_key like '%@demo.duet' and status = 'active' order by id limit 100`,
);
