import type { Ref } from 'preact';
import { useImperativeHandle, useRef, useState } from 'preact/hooks';
import type { Card } from '../../sdk/types.ts';
import { PersonMenu } from '../people/PersonMenu.tsx';
import { distanceText } from '../people/words.ts';
import { PinIcon } from '../shell/icons.tsx';
import { CoverPhoto } from '../shell/Photo.tsx';
import { useSwipe } from './useSwipe.ts';

export type Decision = 'like' | 'pass';

export type PersonCardHandle = {
  /** Lets the card fly off to the side of the decision. */
  fly: (decision: Decision) => void;
  /** Turns to the next (1) or previous (-1) photo. */
  turn: (by: 1 | -1) => void;
};

type Props = {
  card: Card;
  /** The next one, that waits under the top one. */
  behind?: boolean;
  onDecide?: (decision: Decision) => void;
  /** One is rid of the person: blocked, or reported with blocking. */
  onGone?: () => void;
  ref?: Ref<PersonCardHandle>;
};

/** One person: photos, name, age, how far, what they say and like. */
export function PersonCard({ card, behind = false, onDecide, onGone, ref }: Props) {
  const [photo, setPhoto] = useState(0);
  const element = useRef<HTMLElement>(null);
  const count = card.photos.length;
  const turn = (by: 1 | -1) => setPhoto((now) => Math.min(Math.max(now + by, 0), Math.max(count - 1, 0)));
  const { fly, handlers } = useSwipe(element, (decision) => onDecide?.(decision), turn);
  useImperativeHandle(ref ?? null, () => ({ fly, turn }), [fly]);
  const distance = distanceText(card);
  return (
    <article
      ref={element}
      class={`card${behind ? ' card-behind' : ''}`}
      aria-hidden={behind}
      inert={behind}
      data-testid={behind ? undefined : 'card'}
      data-user-id={behind ? undefined : card.id}
    >
      <div class="card-photo" {...handlers}>
        <CoverPhoto person={card} index={photo} />
        {count > 1 && (
          <div class="card-dots" aria-hidden="true">
            {card.photos.map((each, index) => (
              <span key={each.id} class={index === photo ? 'on' : ''} />
            ))}
          </div>
        )}
        <span class="stamp stamp-like" aria-hidden="true">
          Talk
        </span>
        <span class="stamp stamp-pass" aria-hidden="true">
          Pass
        </span>
        <header class="card-name">
          <h2>
            {card.displayName} <span>{card.age}</span>
          </h2>
          {distance && (
            <p data-testid="card-distance">
              <PinIcon size={16} /> {distance}
            </p>
          )}
        </header>
      </div>
      {!behind && (
        <div class="card-menu">
          <PersonMenu person={card} onGone={() => onGone?.()} />
        </div>
      )}
      <div class="card-words">
        {count > 1 && (
          <div class="card-thumbs">
            {card.photos.map((each, index) => (
              <button
                key={each.id}
                type="button"
                aria-label={`Photo ${index + 1}`}
                aria-pressed={index === photo}
                onClick={() => setPhoto(index)}
              >
                <img src={each.thumbnailUrl} alt="" draggable={false} />
              </button>
            ))}
          </div>
        )}
        {card.bio && <p class="bio">{card.bio}</p>}
        {card.interests.length > 0 && (
          <ul class="chips" aria-label="Interests">
            {card.interests.map((interest) => (
              <li key={interest}>{interest}</li>
            ))}
          </ul>
        )}
      </div>
    </article>
  );
}
