/** How a demo person looks: the words that the portraits are drawn from. */

export type HairStyle =
  | 'crop'
  | 'sidePart'
  | 'quiff'
  | 'buzz'
  | 'bald'
  | 'curls'
  | 'afro'
  | 'bob'
  | 'long'
  | 'waves'
  | 'bun'
  | 'ponytail'
  | 'pixie'
  | 'braids'
  | 'hijab'
  | 'shag'
  | 'topknot'
  | 'silverBob';
export type Clothes = 'crew' | 'collar' | 'hoodie' | 'turtleneck' | 'vneck' | 'stripes' | 'jacket' | 'dress';
export type Scene =
  | 'hills'
  | 'sea'
  | 'city'
  | 'park'
  | 'cafe'
  | 'library'
  | 'night'
  | 'kitchen'
  | 'stage'
  | 'studio'
  | 'snow'
  | 'garden';
export type Prop =
  | 'book'
  | 'guitar'
  | 'cup'
  | 'camera'
  | 'plant'
  | 'bike'
  | 'ball'
  | 'dog'
  | 'cat'
  | 'brush'
  | 'pan'
  | 'headphones';

export interface Look {
  skin: string;
  hair: string;
  hairStyle: HairStyle;
  clothes: Clothes;
  colour: string;
  /** The colour behind the portrait. */
  backdrop: string;
  /** Where the second photo was taken, and what is in the third. */
  scene: Scene;
  prop: Prop;
  beard?: 'full' | 'stubble' | 'moustache';
  glasses?: 'round' | 'square';
  freckles?: boolean;
  earrings?: boolean;
  smile?: 'open' | 'soft' | 'wide';
}

export const SKIN = [
  '#ffe0c7',
  '#f7cda8',
  '#eab98c',
  '#d39a68',
  '#b57a4b',
  '#8f5a35',
  '#6b4026',
  '#4f2e1c',
] as const;
export const HAIR = {
  black: '#231f26',
  espresso: '#3a2a24',
  brown: '#5c3d2a',
  chestnut: '#7d4a2b',
  copper: '#b5562a',
  honey: '#c8924a',
  blond: '#e3c07b',
  silver: '#c9ccd3',
  rose: '#d9798f',
  teal: '#2f7f86',
} as const;

/** A colour made lighter (towards white, `amount` up to 1) or darker (below 0, towards a warm black). */
export function shade(hex: string, amount: number): string {
  const target = amount > 0 ? [255, 255, 255] : [24, 16, 28];
  const mix = Math.abs(amount);
  const channels = [1, 3, 5].map((at, i) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16);
    return Math.round(value + (target[i]! - value) * mix)
      .toString(16)
      .padStart(2, '0');
  });
  return `#${channels.join('')}`;
}
