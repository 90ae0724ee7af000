/** Settings that have the right form and would leave a door open. Names of settings and why, one a line; no values. */
import { isIP } from 'node:net';

type Given = Record<string, string | undefined>;

/** Of READMEs and tutorials. Whoever attacks tries them first. Shorter ones would have to repeat themselves. */
const SAMPLE_SECRETS = ['your-secret-key', 'change-me-to-64-random-characters'];

const SECRETS = ['JWT_SECRET', 'JWT_PREVIOUS_SECRET', 'DATA_KEY', 'DATA_KEY_PREVIOUS'] as const;
const MIN_SECRET = 32;
/** By chance 32 decimal digits have fewer different ones once in ten million times. */
const MIN_DIFFERENT = 6;
/** A secret that is another one written again and again is worth that other one. */
const MIN_PERIOD = 17;
const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;
/** Whole blocks of a registry: no operator has more machines. The widest are 10.0.0.0/8 and fc00::/7. */
const WIDEST = { 4: 8, 6: 7 } as const;

/** What is unsafe among these variables, as `NAME: why`. */
export function unsafeSettings(given: Given, production: boolean): string[] {
  const problems: string[] = [];
  const tell = (name: string, why: string | undefined) => {
    if (why !== undefined) problems.push(`${name}: ${why}`);
  };
  for (const name of SECRETS) tell(name, whyNotSecret(given[name], production));
  if (production) {
    if (given.DATA_KEY !== undefined && given.DATA_KEY === given.JWT_SECRET)
      tell('DATA_KEY', 'must not be JWT_SECRET: who has the one must not have the other');
    const turn = given.TURN_SECRET;
    if (turn !== undefined && turn.length < MIN_SECRET)
      tell(
        'TURN_SECRET',
        `must be at least ${MIN_SECRET} random characters: whoever calls may try to guess it`,
      );
    else tell('TURN_SECRET', whyNotSecret(turn, production));
    tell('PUBLIC_URL', whyNotPublic(given.PUBLIC_URL));
  }
  if (itemsOf(given.TURN_URLS).length > 0 && given.TURN_SECRET === undefined)
    tell('TURN_URLS', 'TURN_SECRET is missing, without which nobody gets credentials for them');
  for (const origin of itemsOf(given.ALLOWED_ORIGINS)) tell('ALLOWED_ORIGINS', whyNotOrigin(origin));
  for (const range of itemsOf(given.TRUSTED_PROXIES)) tell('TRUSTED_PROXIES', whyNotProxy(range));
  return problems;
}

/** Of a secret that is long enough, or absent: shorter ones are told elsewhere. */
function whyNotSecret(secret: string | undefined, production: boolean): string | undefined {
  if (secret === undefined || secret.length < MIN_SECRET) return undefined;
  const own = SAMPLE_SECRETS.reduce((left, sample) => left.replaceAll(sample, ''), secret.toLowerCase());
  if (secret.trim().length < MIN_SECRET || own.length * 2 < secret.length)
    return `must be at least ${MIN_SECRET} random characters and not a sample value`;
  // Elsewhere than in production a secret guards nothing.
  if (production && (new Set(secret).size < MIN_DIFFERENT || periodOf(secret) < MIN_PERIOD))
    return `must be ${MIN_SECRET} random characters or more: these repeat themselves`;
  return undefined;
}

/** Tokens and cookies go over it, and browsers give the microphone to no other page. */
function whyNotPublic(text: string | undefined): string | undefined {
  const url = URL.parse(text ?? '');
  if (url?.protocol !== 'http:' || LOOPBACK.test(url.hostname)) return undefined;
  return 'must be https: in production (http: is for this machine alone)';
}

/** As browsers spell it in the Origin header (RFC 6454, section 6.2); an app's web view has a scheme of its own. */
function whyNotOrigin(text: string): string | undefined {
  if (URL.parse(text)?.origin === text && !/^null$|\*/.test(text)) return undefined;
  if (/^(?!https?:)[a-z][a-z\d+.-]*:\/\/[a-z\d.-]+$/.test(text)) return undefined;
  return 'each must be an origin as browsers send it: scheme, host and port, such as https://app.example, and no path';
}

function whyNotProxy(text: string): string | undefined {
  const [, address = '', prefix] = /^([^/%]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address) as 0 | 4 | 6;
  const bits = prefix === undefined ? undefined : Number(prefix);
  if (version === 0 || (bits ?? 0) > (version === 4 ? 32 : 128))
    return 'each must be an address or a range such as 10.0.0.0/8';
  if (bits !== undefined && bits < WIDEST[version])
    return 'must not be half the internet: everybody there could give any address as their own';
  return undefined;
}

function itemsOf(list: string | undefined): string[] {
  const items = (list ?? '').split(',').map((item) => item.trim());
  return items.filter((item) => item !== '');
}

/** The length of what a text repeats from its beginning to its end; its own length if nothing. */
function periodOf(text: string): number {
  let period = 1;
  while (period < text.length && !text.startsWith(text.slice(period))) period++;
  return period;
}
