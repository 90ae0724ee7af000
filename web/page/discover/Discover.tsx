import { useEffect, useRef } from 'preact/hooks';
import { CrossIcon, HeartIcon, SlidersIcon, UndoIcon } from '../shell/icons.tsx';
import { deck, dropCard, like, loadDeck, pass, undoPass } from '../store/deck.ts';
import { go } from '../store/route.ts';
import { useStore } from '../store/Store.ts';
import { PersonCard, type PersonCardHandle } from './PersonCard.tsx';

/** A deck of people: like, pass, and take the last pass back. */
export function Discover() {
  const { cards, phase, passed } = useStore(deck);
  const top = useRef<PersonCardHandle>(null);
  const [first, second] = cards;

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // With those keys the browser goes back and forth; one that is held down is meant for one person.
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.repeat) return;
      const busy =
        event.target instanceof HTMLElement && event.target.closest('input, textarea, select, dialog');
      if (busy || document.querySelector('dialog[open], .call')) return;
      if (event.key === 'ArrowRight') top.current?.fly('like');
      if (event.key === 'ArrowLeft') top.current?.fly('pass');
      if (event.key === 'ArrowUp' || event.key === 'ArrowDown')
        top.current?.turn(event.key === 'ArrowUp' ? 1 : -1);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);

  if (!first) return <NoCards phase={phase} canUndo={passed !== null} />;
  return (
    <section class="deck" aria-label="People">
      <h1 class="visually-hidden">People</h1>
      <div class="deck-stack">
        {second && <PersonCard key={second.id} card={second} behind />}
        <PersonCard
          key={first.id}
          ref={top}
          card={first}
          onDecide={(decision) => void (decision === 'like' ? like(first) : pass(first))}
          onGone={() => dropCard(first)}
        />
      </div>
      <div class="deck-actions">
        <button
          type="button"
          class="round"
          aria-label="Take the last pass back"
          data-testid="card-undo"
          disabled={!passed}
          onClick={() => void undoPass()}
        >
          <UndoIcon size={20} />
        </button>
        <button
          type="button"
          class="round large"
          aria-label={`Pass ${first.displayName}`}
          data-testid="card-pass"
          onClick={() => top.current?.fly('pass')}
        >
          <CrossIcon size={28} />
        </button>
        <button
          type="button"
          class="round large like"
          aria-label={`Like ${first.displayName}`}
          data-testid="card-like"
          onClick={() => top.current?.fly('like')}
        >
          <HeartIcon size={28} />
        </button>
        <button
          type="button"
          class="round"
          aria-label="Who I want to meet"
          data-testid="open-preferences"
          onClick={() => go('you')}
        >
          <SlidersIcon size={20} />
        </button>
      </div>
    </section>
  );
}

const NO_CARDS = {
  empty: {
    title: 'That was everyone, for now',
    text: 'New people come by all the time. Widening the distance or the ages helps too.',
  },
  enough: {
    title: 'That was everyone for today',
    text: 'You have looked at as many people as a day has room for. There are more tomorrow.',
  },
  failed: { title: 'We could not look', text: 'The server did not answer.' },
};

type NoCardsProps = { phase: 'loading' | 'ready' | keyof typeof NO_CARDS; canUndo: boolean };

function NoCards({ phase, canUndo }: NoCardsProps) {
  // Somebody may have come since it was looked last: on every visit, and when the window is looked at again.
  useEffect(() => {
    const look = () => {
      if (document.visibilityState === 'visible') void loadDeck();
    };
    look();
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, []);

  if (phase === 'loading' || phase === 'ready') {
    return (
      <section class="deck" aria-busy="true" aria-label="Looking for people">
        <div class="deck-stack">
          <div class="card card-ghost" />
        </div>
      </section>
    );
  }
  return (
    <section class="empty" data-testid="deck-empty">
      <div class="voices small" aria-hidden="true">
        <span class="voice voice-you" />
        <span class="voice voice-them" />
      </div>
      <h1>{NO_CARDS[phase].title}</h1>
      <p>{NO_CARDS[phase].text}</p>
      <div class="row">
        <button type="button" class="button primary" onClick={() => void loadDeck()}>
          Look again
        </button>
        {canUndo && (
          <button type="button" class="button" data-testid="card-undo" onClick={() => void undoPass()}>
            Take the last pass back
          </button>
        )}
        <button type="button" class="button" onClick={() => go('you')}>
          Who I want to meet
        </button>
      </div>
    </section>
  );
}
