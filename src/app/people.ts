import type { Config } from '../config.ts';
import type { StoredEvent } from '../events/outbox.ts';
import { PushDevices } from '../events/PushDevices.ts';
import { PushMirror } from '../events/PushMirror.ts';
import { Decisions } from '../matching/decisions.ts';
import { MatchLists } from '../matching/MatchLists.ts';
import { Activity } from '../people/Activity.ts';
import { Discovery } from '../people/Discovery.ts';
import { People } from '../people/People.ts';
import { PeopleUpkeep } from '../people/PeopleUpkeep.ts';
import { PhotoLinks } from '../people/PhotoLinks.ts';
import { Photos } from '../people/Photos.ts';
import { Places } from '../people/Places.ts';
import { ShowCounts } from '../people/ShowCounts.ts';
import { WebPush } from '../platform/WebPush.ts';
import type { Stores } from './stores.ts';

export type PeopleServices = ReturnType<typeof openPeople>;

/** Who people are to each other: profiles, photos, discovery, decisions; and how they are told of what happens. */
export function openPeople(
  config: Config,
  stores: Stores,
  site: { url: string },
  closing: AsyncDisposableStack,
) {
  const { clock, db, cache, limits, objects, keys, log, hub } = stores;
  const secret = keys.tagSecret;
  const places = new Places({ secret, movesPerDay: config.limits.movesPerDay });
  const links = new PhotoLinks({ clock, secret, publicUrl: () => site.url });
  const photos: Photos = new Photos({
    db,
    store: objects,
    links,
    clock,
    onChange: (userId) => people.changed(userId, { candidates: true }),
  });
  const people: People = new People({ db, clock, cache, photos, places, open: keys.open.bind(keys) });
  const shows = new ShowCounts({ db, clock, log });
  closing.defer(() => shows.close());
  const activity = new Activity({ db, clock, log });
  closing.defer(() => activity.close());
  const upkeep = new PeopleUpkeep({ db, store: objects, clock, log, people });
  upkeep.start();
  closing.defer(() => upkeep.close());
  const discovery = new Discovery({
    db,
    clock,
    cache,
    people,
    shows,
    allowance: (viewerId, wanted) => limits.takeUpTo('profiles', viewerId, wanted),
    cardAllowance: (viewerId, wanted) => limits.takeUpTo('cards', viewerId, wanted),
  });
  const matchLists = new MatchLists({ db, cache, cards: people.cards.bind(people) });
  const devices = openDevices(config, stores);
  const push = devices && new PushMirror({ db, devices, hub, clock, log });
  closing.defer(() => push?.close());
  push?.lookBack();
  /** What was committed: to who lists it, who is connected and who is not. */
  const publish = (events: readonly StoredEvent[]) => {
    matchLists.heed(events);
    hub.publish(events);
    push?.mirror(events);
  };
  const decisions = new Decisions({
    db,
    clock,
    match: config.match,
    likesPerDay: config.likesPerDay,
    publish,
  });
  closing.defer(() => decisions.close());
  return {
    people,
    matchLists,
    photos,
    links,
    discovery,
    decisions,
    places,
    activity,
    publish,
    devices,
    push,
  };
}

/** What is pushed to, where there are keys for it: made in development, given in production or left out. */
function openDevices(
  config: Config,
  { db, hub, clock, log, secrets, keys }: Stores,
): PushDevices | undefined {
  const { publicKey, privateKey, subject, hosts } = config.push;
  const vapid = publicKey && privateKey ? { publicKey, privateKey } : secrets.vapid;
  const push = vapid && new WebPush({ vapid, subject, hosts });
  return push && new PushDevices({ db, hub, clock, log, keys, push });
}
