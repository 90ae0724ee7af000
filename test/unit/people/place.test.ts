import { cellArea, cellToLatLng, cellToParent, latLngToCell } from 'h3-js';
import { describe, expect, it } from 'vitest';
import {
  areaOf,
  areaSpot,
  BANDS_KM,
  bandBetween,
  cellsAround,
  cellsWithin,
  distanceKm,
  mayBeWithin,
  spotOf,
} from '../../../src/people/place.ts';

/** Points all over the planet, evenly enough and always the same ones. */
const points = Array.from({ length: 300 }, (_, i) => ({
  lat: (Math.asin(((i * 0.618034) % 1) * 2 - 1) * 180) / Math.PI,
  lon: ((i * 0.754878) % 1) * 360 - 180,
}));

describe('places', () => {
  it('are the same for every point of a cell', () => {
    for (const { lat, lon } of points) {
      const cells = cellsAround(lat, lon);
      const [centreLat, centreLon] = cellToLatLng(cells[0]!);
      expect(cellsAround(centreLat, centreLon)).toEqual(cells);
      for (const cell of cells) expect(cellsWithin(cell)).toContainEqual(cells);
    }
  });

  it('are kept no finer than a kilometre, and a coarse one reaches as far as those who may be in it', () => {
    for (const { lat, lon } of points) {
      const cells = cellsAround(lat, lon);
      for (const cell of cells) expect(cellArea(cell, 'km2')).toBeGreaterThan(1);
      const [finest, ...coarser] = cells.map(spotOf);
      for (const spot of coarser) expect(distanceKm(finest!, spot)).toBeLessThanOrEqual(spot.slackKm);
    }
  });

  it('are told in few bands: none narrow, the last around the world', () => {
    expect(BANDS_KM[0]).toBeGreaterThanOrEqual(3);
    for (const [i, upToKm] of BANDS_KM.slice(1).entries())
      expect(upToKm / BANDS_KM[i]!, `${upToKm} km`).toBeGreaterThan(1.6);
    const [here, antipode] = [cellsAround(0, 0)[2]!, cellsAround(0, 180)[2]!];
    const apart = spotOf(here);
    const atMostKm = distanceKm(apart, spotOf(antipode)) + 2 * apart.slackKm;
    expect(bandBetween(here, antipode).upToKm).toBeGreaterThanOrEqual(atMostKm);
  });

  it('are measured within a metre or so of the great circle', () => {
    const paris = spotOf(latLngToCell(48.857, 2.352, 7));
    const london = spotOf(latLngToCell(51.507, -0.128, 7));
    expect(distanceKm(paris, london)).toBeGreaterThan(340);
    expect(distanceKm(paris, london)).toBeLessThan(347);
    expect(distanceKm(paris, paris)).toBe(0);
  });

  it('are found: every area that somebody within reach can be filed under counts as reached', () => {
    for (const limitKm of [1, 10, 50, 120]) {
      for (const [i, { lat, lon }] of points.slice(0, 60).entries()) {
        const mine = cellsAround(lat, lon)[i % 3]!;
        for (let turn = 0; turn < 12; turn++) {
          const km = (limitKm + 25) * ((turn * 0.37 + 0.2) % 1);
          const north = Math.max(-89.9, Math.min(89.9, lat + (km / 111.2) * Math.cos(turn)));
          const east =
            lon + ((km / 111.2) * Math.sin(turn)) / Math.max(0.05, Math.cos((lat * Math.PI) / 180));
          const other = cellsAround(north, ((east + 540) % 360) - 180)[turn % 3]!;
          if (!mayBeWithin(spotOf(mine), spotOf(other), limitKm)) continue;
          const wide = cellToParent(BigInt(areaOf(other)).toString(16), 5);
          expect(mayBeWithin(spotOf(mine), areaSpot(BigInt(`0x${wide}`).toString()), limitKm)).toBe(true);
        }
      }
    }
  });

  it('tell bands, the same both ways, and never less than the finest one', () => {
    for (const [i, { lat, lon }] of points.entries()) {
      const other = points[(i * 7 + 1) % points.length]!;
      const [a, b] = [cellsAround(lat, lon)[i % 3]!, cellsAround(other.lat, other.lon)[(i + 1) % 3]!];
      expect(bandBetween(a, b)).toEqual(bandBetween(b, a));
      expect(BANDS_KM).toContain(bandBetween(a, b).upToKm);
      expect(bandBetween(a, a).upToKm).toBeGreaterThanOrEqual(3);
    }
  });
});
