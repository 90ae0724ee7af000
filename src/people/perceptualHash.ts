/**
 * A perceptual hash: 64 bits that stay nearly the same when a picture is scaled, re-encoded or slightly retouched.
 * The low frequencies of a 32×32 cosine transform, each bit telling whether one is above their median.
 */
import type { Sharp } from 'sharp';

const SIDE = 32;
const KEPT = 8;

const COSINES = Array.from({ length: KEPT + 1 }, (_, u) =>
  Array.from({ length: SIDE }, (_, x) => Math.cos(((2 * x + 1) * u * Math.PI) / (2 * SIDE))),
);

/** The hash of a picture as 64 characters of 0 and 1. Two are alike when at most about 8 of them differ. */
export async function perceptualHash(picture: Sharp): Promise<string> {
  const pixels = await picture.resize(SIDE, SIDE, { fit: 'fill' }).greyscale().raw().toBuffer();
  const channels = pixels.length / (SIDE * SIDE);
  const frequencies: number[] = [];
  // The first row and column are left out: they hold the brightness, not the picture.
  for (let u = 1; u <= KEPT; u++) {
    for (let v = 1; v <= KEPT; v++) frequencies.push(frequency(pixels, channels, u, v));
  }
  const median = [...frequencies].sort((a, b) => a - b)[frequencies.length / 2]!;
  return frequencies.map((value) => (value >= median ? '1' : '0')).join('');
}

function frequency(pixels: Buffer, channels: number, u: number, v: number): number {
  let sum = 0;
  for (let y = 0; y < SIDE; y++) {
    let row = 0;
    for (let x = 0; x < SIDE; x++) row += pixels[(y * SIDE + x) * channels]! * COSINES[u]![x]!;
    sum += row * COSINES[v]![y]!;
  }
  return sum;
}
