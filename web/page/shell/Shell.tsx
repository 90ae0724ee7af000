import type { ComponentChildren } from 'preact';
import { Discover } from '../discover/Discover.tsx';
import { MatchMoment } from '../discover/MatchMoment.tsx';
import { MatchList } from '../matches/MatchList.tsx';
import { You } from '../me/You.tsx';
import { matches, seeMatches } from '../store/matches.ts';
import { go, type Page, route } from '../store/route.ts';
import { useStore } from '../store/Store.ts';
import { session } from '../store/session.ts';
import { ConnectionNote } from './ConnectionNote.tsx';
import { CardsIcon, PairIcon, PersonIcon } from './icons.tsx';
import { Logo } from './Logo.tsx';
import { Avatar } from './Photo.tsx';
import { VerifyNote } from './VerifyNote.tsx';

/** The page of somebody signed in: navigation, and one of three places. */
export function Shell() {
  const { page } = useStore(route);
  const { me } = useStore(session);
  const { fresh } = useStore(matches);
  const count = page === 'matches' ? 0 : fresh.size;
  return (
    <div class="shell">
      <nav class="nav" aria-label="Main">
        <span class="brand">
          <Logo size={28} />
          <span>Duet</span>
        </span>
        <NavItem page="discover" label="Discover" current={page}>
          <CardsIcon />
        </NavItem>
        <NavItem page="matches" label="Matches" current={page} count={count}>
          <PairIcon />
        </NavItem>
        <NavItem page="you" label={me?.displayName ?? 'You'} current={page}>
          {me?.photos.length ? <Avatar person={me} size={24} /> : <PersonIcon />}
        </NavItem>
      </nav>
      <main class="place" tabIndex={-1}>
        <ConnectionNote />
        <VerifyNote />
        {page === 'discover' && <Discover />}
        {page === 'matches' && <MatchList />}
        {page === 'you' && <You />}
      </main>
      <MatchMoment />
    </div>
  );
}

type NavItemProps = { page: Page; label: string; current: Page; count?: number; children: ComponentChildren };

function NavItem({ page, label, current, count = 0, children }: NavItemProps) {
  return (
    <button
      type="button"
      class="nav-item"
      data-testid={`nav-${page}`}
      aria-current={page === current ? 'page' : undefined}
      onClick={() => {
        if (page === 'matches') seeMatches();
        go(page);
      }}
    >
      {children}
      <span>{label}</span>
      {count > 0 && <span class="badge">{count}</span>}
    </button>
  );
}
