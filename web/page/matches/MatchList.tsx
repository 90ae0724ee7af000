import { useEffect } from 'preact/hooks';
import type { Match } from '../../sdk/types.ts';
import { PersonMenu } from '../people/PersonMenu.tsx';
import { dayText } from '../people/words.ts';
import { PhoneIcon, VideoIcon } from '../shell/icons.tsx';
import { Avatar, CoverPhoto } from '../shell/Photo.tsx';
import { startCall } from '../store/calls.ts';
import { dropMatch, endMatch, matches, seeMatches } from '../store/matches.ts';
import { go } from '../store/route.ts';
import { useStore } from '../store/Store.ts';

/** Those one may call, and those one might have. */
export function MatchList() {
  const { active, past, loaded } = useStore(matches);
  useEffect(seeMatches, []);
  if (loaded && active.length === 0 && past.length === 0) {
    return (
      <section class="empty">
        <div class="voices small" aria-hidden="true">
          <span class="voice voice-you" />
          <span class="voice voice-them" />
        </div>
        <h1>No matches yet</h1>
        <p>When somebody you like likes you too, they turn up here, ready for a call.</p>
        <button type="button" class="button primary" onClick={() => go('discover')}>
          Meet people
        </button>
      </section>
    );
  }
  return (
    <section class="matches" aria-label="Matches">
      <h1>Matches</h1>
      {loaded && active.length === 0 && <p class="quiet">Nobody to call at the moment.</p>}
      <ul class="match-grid">
        {active.map((match) => (
          <MatchTile key={match.id} match={match} />
        ))}
      </ul>
      {past.length > 0 && (
        <>
          <h2>Before</h2>
          <ul class="match-past">
            {past.map((match) => (
              <li key={match.id}>
                <Avatar person={match.peer} size={40} />
                <span>{match.peer.displayName}</span>
                <span class="quiet">
                  {match.status === 'expired' ? 'ran out' : 'ended'}{' '}
                  {dayText(match.endedAt ?? match.createdAt)}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function MatchTile({ match }: { match: Match }) {
  const { peer } = match;
  return (
    <li class="match" data-testid="match" data-match-id={match.id} data-user-id={peer.id}>
      <div class="match-photo">
        <CoverPhoto person={peer} />
        <div class="match-menu">
          <PersonMenu
            person={peer}
            onGone={() => dropMatch(match.id)}
            extra={[{ label: 'End this match', testId: 'match-end', run: () => void endMatch(match) }]}
          />
        </div>
        <div class="match-name">
          <h2>
            {peer.displayName} <span>{peer.age}</span>
          </h2>
          <p>{match.phase === 'ready' ? 'You have both said yes' : `Call by ${untilText(match.acceptBy)}`}</p>
        </div>
      </div>
      <div class="match-actions">
        <button
          type="button"
          class="button go"
          aria-label={`Call ${peer.displayName}`}
          data-testid="match-call"
          onClick={() => void startCall(match.id, peer)}
        >
          <PhoneIcon size={18} /> Call
        </button>
        <button
          type="button"
          class="button icon-only"
          aria-label={`Video call with ${peer.displayName}`}
          data-testid="match-video-call"
          onClick={() => void startCall(match.id, peer, 'video')}
        >
          <VideoIcon size={20} />
        </button>
      </div>
    </li>
  );
}

/** "14:30" for a time of today, else "tomorrow 14:30" or a date. */
function untilText(iso: string): string {
  const then = new Date(iso);
  const time = then.toLocaleTimeString(undefined, { hour: 'numeric', minute: '2-digit' });
  const tomorrow = new Date(Date.now() + 86_400_000);
  if (then.toDateString() === new Date().toDateString()) return time;
  if (then.toDateString() === tomorrow.toDateString()) return `tomorrow ${time}`;
  return then.toLocaleDateString(undefined, { day: 'numeric', month: 'short' });
}
