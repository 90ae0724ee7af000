/** A head in flat colours, drawn around (0, 0): 340 wide, 420 high, chin at y = 210. */
import { type Look, shade } from './look.ts';

/** The neck: drawn before the clothes. */
export function neck(look: Look): string {
  const shadow = shade(look.skin, -0.16);
  return `<path d="M-66 130 h132 v150 q0 60 -66 60 q-66 0 -66 -60z" fill="${look.skin}"/>
    <path d="M-66 160 q66 76 132 0 v38 q-66 66 -132 0z" fill="${shadow}"/>`;
}

/** Ears, face, features, beard: drawn over the hair's back and under its front. */
export function face(look: Look): string {
  const { skin } = look;
  const shadow = shade(skin, -0.14);
  const ears =
    look.hairStyle === 'hijab'
      ? ''
      : `<ellipse cx="-166" cy="26" rx="30" ry="44" fill="${skin}"/><ellipse cx="166" cy="26" rx="30" ry="44" fill="${skin}"/>
         <path d="M-174 8 q-14 18 0 38" fill="none" stroke="${shadow}" stroke-width="7" stroke-linecap="round"/>
         <path d="M174 8 q14 18 0 38" fill="none" stroke="${shadow}" stroke-width="7" stroke-linecap="round"/>`;
  const earrings = look.earrings
    ? '<circle cx="-168" cy="82" r="12" fill="#f2c14e"/><circle cx="168" cy="82" r="12" fill="#f2c14e"/>'
    : '';
  return `${ears}${earrings}
    <path d="M-164 -40 C-166 -190 166 -190 164 -40 C166 40 150 110 96 172 C62 212 -62 212 -96 172 C-150 110 -166 40 -164 -40Z" fill="${skin}"/>
    ${beard(look)}${cheeks(look)}${eyes(look)}${nose(look)}${mouth(look)}${glasses(look)}`;
}

function eyes(look: Look): string {
  const brow = look.hairStyle === 'hijab' ? '#3a2a24' : shade(look.hair, -0.25);
  const one = (x: number) => `
    <ellipse cx="${x}" cy="6" rx="27" ry="23" fill="#fff"/><circle cx="${x}" cy="6" r="18" fill="#2b2230"/>
    <circle cx="${x + 6}" cy="-2" r="6" fill="#fff"/>
    <path d="M${x - 26} -4 q26 -32 52 0" fill="none" stroke="#2b2230" stroke-width="7" stroke-linecap="round"/>`;
  const lift = look.smile === 'wide' ? -8 : 0;
  return `${one(-72)}${one(72)}
    <path d="M-112 ${-48 + lift} q38 -26 76 -6" fill="none" stroke="${brow}" stroke-width="14" stroke-linecap="round"/>
    <path d="M112 ${-48 + lift} q-38 -26 -76 -6" fill="none" stroke="${brow}" stroke-width="14" stroke-linecap="round"/>`;
}

function nose(look: Look): string {
  return `<path d="M-4 20 q-22 50 6 58 q14 2 22 -6" fill="none" stroke="${shade(look.skin, -0.22)}" stroke-width="9" stroke-linecap="round" stroke-linejoin="round"/>`;
}

function mouth(look: Look): string {
  const lip = shade('#c2504f', look.skin < '#9' ? -0.2 : 0.05);
  switch (look.smile ?? 'soft') {
    case 'open':
      return '<path d="M-56 108 q56 22 112 0 q-8 58 -56 58 q-48 0 -56 -58z" fill="#7d2b36"/><path d="M-48 112 q48 18 96 0 l-4 16 q-44 12 -88 0z" fill="#fff"/>';
    case 'wide':
      return '<path d="M-68 102 q68 26 136 0 q-14 62 -68 62 q-54 0 -68 -62z" fill="#fff" stroke="#7d2b36" stroke-width="6" stroke-linejoin="round"/>';
    case 'soft':
      return `<path d="M-50 118 q50 40 100 0" fill="none" stroke="${lip}" stroke-width="11" stroke-linecap="round"/>`;
  }
}

function cheeks(look: Look): string {
  const blush =
    '<g fill="#f0696a" opacity="0.2"><ellipse cx="-104" cy="76" rx="36" ry="24"/><ellipse cx="104" cy="76" rx="36" ry="24"/></g>';
  if (!look.freckles) return blush;
  const dots = [
    [-118, 62],
    [-98, 74],
    [-84, 58],
    [-106, 90],
    [-76, 80],
    [118, 62],
    [98, 74],
    [84, 58],
    [106, 90],
    [76, 80],
    [-14, 56],
    [16, 50],
  ];
  const spots = dots.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="4.5"/>`).join('');
  return `${blush}<g fill="${shade(look.skin, -0.35)}" opacity="0.6">${spots}</g>`;
}

function beard(look: Look): string {
  const colour = shade(look.hair, -0.08);
  switch (look.beard) {
    case 'full':
      return `<path d="M-163 20 C-160 110 -140 150 -98 178 C-62 226 62 226 98 178 C140 150 160 110 163 20 C150 70 130 84 96 88 Q0 66 -96 88 C-130 84 -150 70 -163 20Z" fill="${colour}"/>`;
    case 'stubble':
      return `<path d="M-160 40 C-154 112 -138 148 -98 176 C-62 216 62 216 98 176 C138 148 154 112 160 40 C148 80 128 92 96 94 Q0 76 -96 94 C-128 92 -148 80 -160 40Z" fill="${colour}" opacity="0.28"/>`;
    case 'moustache':
      return `<path d="M-62 104 Q-30 78 0 92 Q30 78 62 104 Q30 116 0 106 Q-30 116 -62 104Z" fill="${colour}"/>`;
    default:
      return '';
  }
}

function glasses(look: Look): string {
  if (look.glasses === undefined) return '';
  const lens =
    look.glasses === 'round'
      ? (x: number) => `<circle cx="${x}" cy="6" r="54"/>`
      : (x: number) => `<rect x="${x - 56}" y="-40" width="112" height="88" rx="24"/>`;
  return `<g fill="#ffffff" fill-opacity="0.16" stroke="#2b2230" stroke-width="9">${lens(-74)}${lens(74)}
    <path d="M-20 -2 q20 -16 40 0 M-130 -4 l-34 -10 M130 -4 l34 -10" fill="none" stroke-linecap="round"/></g>`;
}
