/** A demo person's pictures, drawn: a portrait, one out in the world, one with something dear. */
import sharp from 'sharp';
import { perceptualHash } from '../people/perceptualHash.ts';
import type { PhotoImage } from '../people/photoImage.ts';
import { figure } from './figure.ts';
import { type Look, shade } from './look.ts';
import { prop } from './props.ts';
import { backdrop, scene } from './scenes.ts';

/** What the drawings are drawn on, and the pixels that are made of it. */
const CANVAS = { width: 1080, height: 1350 };
const CARD = { width: 720, height: 900 };

/** The pictures as SVG, the main one first. `turn` (0..1) varies what is behind. */
export function drawings(look: Look, turn: number): string[] {
  const lean = (turn - 0.5) * 7;
  return [
    svg(`${backdrop(look.backdrop, turn)}${place(figure(look), 540, 600, 1.22, lean)}`),
    svg(
      `${scene(look.scene, look.colour)}${place(figure({ ...look, smile: 'soft' }), 540 + (turn - 0.5) * 260, 800, 0.86, -lean)}`,
    ),
    svg(`${backdrop(shade(look.colour, 0.45), (turn + 0.4) % 1)}${place(figure({ ...look, smile: 'open' }), 440, 590, 1.02, lean)}
      ${place(prop(look.prop), 730, 1080, 1.25, lean)}`),
  ];
}

/** One drawing with the sizes that a photo is stored in. */
export async function paint(drawing: string): Promise<PhotoImage> {
  const { data, info } = await sharp(Buffer.from(drawing))
    .flatten()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const picture = sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
  const square = await picture
    .clone()
    .resize(256, 256, { position: 'top' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const small = () =>
    sharp(square.data, { raw: { width: 256, height: 256, channels: square.info.channels } });
  const [card, thumb, tiny, phash] = await Promise.all([
    picture.webp({ quality: 82, effort: 0 }).toBuffer(),
    small().webp({ quality: 80, effort: 1 }).toBuffer(),
    small().resize(12, 15, { fit: 'fill' }).blur(0.6).webp({ quality: 30, effort: 0 }).toBuffer(),
    perceptualHash(small()),
  ]);
  return {
    files: { full: card, card, thumb },
    width: info.width,
    height: info.height,
    placeholder: `data:image/webp;base64,${tiny.toString('base64')}`,
    phash,
  };
}

function place(drawing: string, x: number, y: number, scale: number, turnDeg: number): string {
  return `<g transform="translate(${x.toFixed(1)} ${y}) rotate(${turnDeg.toFixed(2)}) scale(${scale})">${drawing}</g>`;
}

function svg(content: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${CARD.width}" height="${CARD.height}" viewBox="0 0 ${CANVAS.width} ${CANVAS.height}">${content}</svg>`;
}
