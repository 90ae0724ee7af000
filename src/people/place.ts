/**
 * Places as pure geometry. A place is an H3 cell (some 2.5 km across, coarser where few people live); all that Duet ever
 * computes with is the cell's centre. Distances are shown in bands.
 */
import { cellToChildren, cellToLatLng, cellToParent, getResolution, latLngToCell } from 'h3-js';

export const EARTH_KM = 6371;
/** The cells a person may be stored in, finest first: edges of about 1.4, 3.7 and 9.9 km. */
export const CELL_RESOLUTIONS = [7, 6, 5] as const;
/** The area that is stored with a person: about 7 km across, or the cell itself where that is larger. */
const AREA_RESOLUTION = 6;
/** Stands for "place unknown or hidden" in the index. */
export const NOWHERE = '0';

/** What a card may say: "up to n km away". */
export const BANDS_KM = [3, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 20_100] as const;

/** How far from the centre of a coarse cell its people may be, beyond what the finest cell allows. */
const SLACK_KM: Record<number, number> = { 7: 0, 6: 3, 5: 10 };
/** No point of an area of discovery's index, 20 km across, is further from its centre. */
const AREA_RADIUS_KM = 11;

/** A stored place as numbers: the centre of its cell on the sphere, in km, and its slack. */
export interface Spot {
  x: number;
  y: number;
  z: number;
  slackKm: number;
}

/** The nested cells around a coordinate, finest first. The coordinate goes no further than this function. */
export function cellsAround(lat: number, lon: number): string[] {
  return cellsFrom(latLngToCell(lat, lon, CELL_RESOLUTIONS[0]));
}

/** The nested cells of everybody who may be stored in a cell, finest first: one list for each finest cell. */
export function cellsWithin(cell: string): string[][] {
  return cellToChildren(cell, CELL_RESOLUTIONS[0]).map(cellsFrom);
}

/** The centre of a cell as discovery computes with it. */
export function spotOf(cell: string): Spot {
  const [lat, lon] = cellToLatLng(cell);
  return { ...onSphere(lat, lon), slackKm: SLACK_KM[getResolution(cell)] ?? 0 };
}

/**
 * The area that is stored with a cell, as the database spells it (a decimal 64-bit number). Discovery's index has the wide
 * one around it, its parent at resolution 5, which the database computes from the bits.
 */
export function areaOf(cell: string): string {
  const resolution = getResolution(cell);
  const area = resolution > AREA_RESOLUTION ? cellToParent(cell, AREA_RESOLUTION) : cell;
  return BigInt(`0x${area}`).toString();
}

/** An area of discovery's index as a spot whose slack says how far people who are filed under it may be from its centre. */
export function areaSpot(area: string): Spot {
  const cell = BigInt(area).toString(16);
  return { ...spotOf(cell), slackKm: (SLACK_KM[getResolution(cell)] ?? 0) + AREA_RADIUS_KM };
}

/** Along the sphere, between centres. Slack is not in it. The SQL of discovery computes the same. */
export function distanceKm(a: Pick<Spot, 'x' | 'y' | 'z'>, b: Pick<Spot, 'x' | 'y' | 'z'>): number {
  const chord = Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z);
  return 2 * EARTH_KM * Math.asin(Math.min(1, chord / (2 * EARTH_KM)));
}

/** Whether two people may be within `limitKm` of each other, as far as their cells tell. */
export function mayBeWithin(a: Spot, b: Spot, limitKm: number): boolean {
  return distanceKm(a, b) - a.slackKm - b.slackKm <= limitKm;
}

/** The band of the distance between two cells: a function of the two cells and nothing else. */
export function bandBetween(cell: string, other: string): { upToKm: number } {
  const a = spotOf(cell);
  const b = spotOf(other);
  const atMostKm = distanceKm(a, b) + a.slackKm + b.slackKm;
  return { upToKm: BANDS_KM.find((upToKm) => atMostKm <= upToKm) ?? BANDS_KM.at(-1)! };
}

function cellsFrom(finest: string): string[] {
  return CELL_RESOLUTIONS.map((resolution) => cellToParent(finest, resolution));
}

function onSphere(latDeg: number, lonDeg: number): { x: number; y: number; z: number } {
  const lat = (latDeg * Math.PI) / 180;
  const lon = (lonDeg * Math.PI) / 180;
  return {
    x: EARTH_KM * Math.cos(lat) * Math.cos(lon),
    y: EARTH_KM * Math.cos(lat) * Math.sin(lon),
    z: EARTH_KM * Math.sin(lat),
  };
}
