import type { Card, Gender, Outcome } from '../../sdk/types.ts';

export const GENDERS: { value: Gender; label: string; plural: string }[] = [
  { value: 'woman', label: 'Woman', plural: 'Women' },
  { value: 'man', label: 'Man', plural: 'Men' },
  { value: 'nonbinary', label: 'Non-binary person', plural: 'Non-binary people' },
];

/** In the place of a photo. A whole character: of a name that begins with an emoji half of one would be shown. */
export function initial(name: string): string {
  const [first] = new Intl.Segmenter().segment(name.trim());
  return first?.segment.toUpperCase() ?? '';
}

/** "within 5 km", or nothing where it is not shown. */
export function distanceText(card: Card): string | null {
  return card.distance ? `within ${card.distance.upToKm} km` : null;
}

/** `4:07`, or `1:04:07` from an hour on. Half seconds round up, so that it reaches 0:00 when it is over. */
export function clockText(ms: number): string {
  const totalSec = Math.max(0, Math.ceil(ms / 1000));
  const sec = String(totalSec % 60).padStart(2, '0');
  const min = Math.floor(totalSec / 60) % 60;
  const hours = Math.floor(totalSec / 3600);
  return hours > 0 ? `${hours}:${String(min).padStart(2, '0')}:${sec}` : `${min}:${sec}`;
}

/** "4 min 7 s" of a duration. */
export function durationText(durationSec: number): string {
  const min = Math.floor(durationSec / 60);
  const sec = durationSec % 60;
  if (min === 0) return `${sec} s`;
  return sec === 0 ? `${min} min` : `${min} min ${sec} s`;
}

/** How a call ended, as a headline; `name` is the other person. */
export function outcomeText(outcome: Outcome | null, name: string): string {
  switch (outcome) {
    case 'completed':
      return 'That was your call';
    case 'timed_out':
      return 'Time is up';
    case 'rejected':
      return `${name} cannot talk now`;
    case 'missed':
      return `${name} did not answer`;
    case 'cancelled':
      return 'Call cancelled';
    case 'failed':
      return 'The connection was lost';
    case 'unavailable':
      return `${name} is not there right now`;
    case null:
      return 'The call is over';
  }
}

/** "today", "yesterday", "3 Nov". */
export function dayText(iso: string): string {
  const then = new Date(iso);
  const days = Math.floor((startOfDay(new Date()) - startOfDay(then)) / 86_400_000);
  if (days === 0) return 'today';
  if (days === 1) return 'yesterday';
  return then.toLocaleDateString(undefined, { day: 'numeric', month: 'short' });
}

function startOfDay(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
