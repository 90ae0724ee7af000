/**
 * Places as pure geometry. A place is an H3 cell (about 1 km, coarser where few people live); all that Duet ever
 * computes with is the cell's centre. Distances are shown in bands.
 */
import { cellToCenterChild, cellToLatLng, cellToParent, getResolution, gridDisk, latLngToCell } from 'h3-js';

export const EARTH_KM = 6371;
/** The cells a person may be stored in, finest first: edges of about 1.4, 3.7 and 9.9 km. */
export const CELL_RESOLUTIONS = [7, 6, 5] as const;
/** The cells that discovery's index is ordered by: about 20 km across. */
const AREA_RESOLUTION = 5;
/** Stands for "place unknown or hidden" in the index. */
export const NOWHERE = '0';

/** What a card may say: "up to n km away". */
export const BANDS_KM = [3, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 20_100] as const;

/** How far from the centre of a coarse cell its people may be, beyond what the finest cell allows. */
const SLACK_KM: Record<number, number> = { 7: 0, 6: 3, 5: 9 };
const WORST_SLACK_KM = 9;
/** A ring of areas adds at least this much in every direction; an area reaches at most this far from its centre. */
const RING_KM = 10.5;
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
  const finest = latLngToCell(lat, lon, CELL_RESOLUTIONS[0]);
  return CELL_RESOLUTIONS.map((resolution) => cellToParent(finest, resolution));
}

/** A stored cell and those around it, finest first. */
export function cellAndParents(cell: string): string[] {
  return CELL_RESOLUTIONS.filter((resolution) => resolution <= getResolution(cell)).map((resolution) =>
    cellToParent(cell, resolution),
  );
}

/** The centre of a cell as discovery computes with it. */
export function spotOf(cell: string): Spot {
  const [lat, lon] = cellToLatLng(cell);
  return { ...onSphere(lat, lon), slackKm: SLACK_KM[getResolution(cell)] ?? 0 };
}

/** The area that a cell is filed under, as the index spells it (a decimal 64-bit number). */
export function areaOf(cell: string): string {
  const resolution = getResolution(cell);
  const area = resolution >= AREA_RESOLUTION ? cellToParent(cell, AREA_RESOLUTION) : cellToCenterChild(cell, AREA_RESOLUTION);
  return BigInt(`0x${area}`).toString();
}

/** The areas under which people are filed who may be within `limitKm` of the cell, nearest first. */
export function areasAround(cell: string, limitKm: number): string[] {
  const from = spotOf(cell);
  const reachKm = limitKm + from.slackKm + WORST_SLACK_KM + AREA_RADIUS_KM;
  const middle = BigInt(areaOf(cell)).toString(16);
  return gridDisk(middle, Math.ceil((reachKm + AREA_RADIUS_KM) / RING_KM))
    .map((area) => ({ area, km: distanceKm(from, spotOf(area)) }))
    .filter(({ km }) => km <= reachKm)
    .sort((a, b) => a.km - b.km)
    .map(({ area }) => BigInt(`0x${area}`).toString());
}

/** Whether somebody within `limitKm` of the cell can be filed under an area. */
export function mayBeFiledWithin(cell: string, area: string, limitKm: number): boolean {
  const from = spotOf(cell);
  return distanceKm(from, spotOf(BigInt(area).toString(16))) <= limitKm + from.slackKm + WORST_SLACK_KM + AREA_RADIUS_KM;
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

function onSphere(latDeg: number, lonDeg: number): { x: number; y: number; z: number } {
  const lat = (latDeg * Math.PI) / 180;
  const lon = (lonDeg * Math.PI) / 180;
  return {
    x: EARTH_KM * Math.cos(lat) * Math.cos(lon),
    y: EARTH_KM * Math.cos(lat) * Math.sin(lon),
    z: EARTH_KM * Math.sin(lat),
  };
}
