import { useState } from 'preact/hooks';
import type { Card } from '../../sdk/types.ts';
import { initial } from '../people/words.ts';

type Pictured = Pick<Card, 'displayName' | 'photos'>;

/** A person's small round picture, or their initial. */
export function Avatar({ person, size = 48 }: { person: Pictured; size?: number }) {
  const [photo] = person.photos;
  const [broken, setBroken] = useState<string | null>(null);
  return (
    <span class="avatar" style={{ width: `${size}px`, height: `${size}px`, fontSize: `${size * 0.42}px` }}>
      {photo && photo.thumbnailUrl !== broken ? (
        <img
          src={photo.thumbnailUrl}
          alt=""
          loading="lazy"
          draggable={false}
          onError={() => setBroken(photo.thumbnailUrl)}
        />
      ) : (
        initial(person.displayName)
      )}
    </span>
  );
}

/** A person's photo over the whole of its box, on its blurred preview until it is there; or their initial. */
export function CoverPhoto({ person, index = 0 }: { person: Pictured; index?: number }) {
  const photo = person.photos[index];
  // Gone meanwhile, as those of somebody who blocked one are.
  const [broken, setBroken] = useState<string | null>(null);
  if (!photo || photo.url === broken) return <span class="cover-initial">{initial(person.displayName)}</span>;
  return (
    <img
      class="cover"
      key={photo.id}
      src={photo.url}
      alt={`${person.displayName}, ${index + 1} of ${person.photos.length}`}
      style={photo.placeholder ? { backgroundImage: `url("${photo.placeholder}")` } : undefined}
      draggable={false}
      onError={() => setBroken(photo.url)}
    />
  );
}
