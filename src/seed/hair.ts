/** Hair in two layers around the head of `face.ts`: what falls behind it, and what lies on it. */
import { type Look, shade } from './look.ts';

/** Behind the neck and the head. */
export function hairBack(look: Look): string {
  const fill = shade(look.hair, -0.14);
  switch (look.hairStyle) {
    case 'long':
      return `<path d="M-190 -40 C-200 -260 200 -260 190 -40 C204 120 214 260 196 400 Q120 440 60 400 L-60 400 Q-120 440 -196 400 C-214 260 -204 120 -190 -40Z" fill="${fill}"/>`;
    case 'waves':
      return `<path d="M-196 -40 C-210 -270 210 -270 196 -40 C236 20 176 70 218 140 C256 210 190 240 214 310 C220 380 130 390 90 350 L-90 350 C-130 390 -220 380 -214 310 C-190 240 -256 210 -218 140 C-176 70 -236 20 -196 -40Z" fill="${fill}"/>`;
    case 'bob':
    case 'silverBob':
      return `<path d="M-192 -40 C-200 -260 200 -260 192 -40 C210 60 214 130 200 190 Q150 226 110 190 L-110 190 Q-150 226 -200 190 C-214 130 -210 60 -192 -40Z" fill="${fill}"/>`;
    case 'ponytail':
      return `<path d="M60 -180 C240 -230 330 -60 280 90 C262 180 300 240 250 310 C210 250 190 200 196 120 C206 0 190 -80 90 -120Z" fill="${fill}"/>`;
    case 'braids':
      return `${braid(-186, fill)}${braid(186, fill)}<path d="M-186 -30 C-196 -250 196 -250 186 -30 L170 90 L-170 90Z" fill="${fill}"/>`;
    case 'bun':
      return `<circle cx="0" cy="-226" r="86" fill="${fill}"/>`;
    case 'topknot':
      return `<circle cx="0" cy="-214" r="62" fill="${fill}"/>`;
    case 'afro':
      return `<circle cx="0" cy="-70" r="262" fill="${look.hair}"/><circle cx="-170" cy="40" r="120" fill="${look.hair}"/><circle cx="170" cy="40" r="120" fill="${look.hair}"/>`;
    case 'curls':
      return bubbles(
        [
          [-176, -30, 74],
          [176, -30, 74],
          [-190, 70, 66],
          [190, 70, 66],
          [-176, 160, 60],
          [176, 160, 60],
          [-130, -130, 80],
          [130, -130, 80],
        ],
        fill,
      );
    case 'shag':
      return `<path d="M-190 -40 C-200 -256 200 -256 190 -40 C214 40 196 90 226 170 Q170 170 150 210 L-150 210 Q-170 170 -226 170 C-196 90 -214 40 -190 -40Z" fill="${fill}"/>`;
    case 'hijab':
      return `<path d="M-214 -20 C-224 -290 224 -290 214 -20 C224 150 250 240 280 380 L-280 380 C-250 240 -224 150 -214 -20Z" fill="${shade(look.hair, -0.16)}"/>`;
    default:
      return '';
  }
}

/** On top of the head. */
export function hairFront(look: Look): string {
  const { hair } = look;
  const light = shade(hair, 0.14);
  switch (look.hairStyle) {
    case 'crop':
      return `<path d="M-172 -10 C-196 -236 196 -236 172 -10 C166 -60 158 -84 138 -104 Q60 -80 -40 -112 Q-110 -120 -138 -90 C-158 -70 -166 -50 -172 -10Z" fill="${hair}"/><path d="M-110 -150 q60 -46 150 -34" ${stroke(light)}/>`;
    case 'sidePart':
      return `<path d="M-172 0 C-204 -244 190 -262 174 -6 C168 -54 160 -80 146 -96 C60 -80 -40 -96 -84 -156 C-96 -110 -140 -90 -150 -70 C-162 -50 -168 -30 -172 0Z" fill="${hair}"/><path d="M-60 -168 q70 56 180 56" ${stroke(light)}/>`;
    case 'quiff':
      return `<path d="M-170 -10 C-190 -150 -150 -200 -110 -214 C-90 -282 130 -290 160 -190 C186 -150 182 -60 170 -10 C164 -60 156 -90 142 -108 Q90 -130 10 -116 Q-90 -96 -142 -112 C-156 -90 -166 -60 -170 -10Z" fill="${hair}"/><path d="M-80 -200 q60 -60 170 -30" ${stroke(light)}/>`;
    case 'buzz':
      return `<path d="M-168 -16 C-184 -216 184 -216 168 -16 C160 -64 148 -96 124 -112 Q0 -142 -124 -112 C-148 -96 -160 -64 -168 -16Z" fill="${hair}" opacity="0.88"/>`;
    case 'bald':
      return `<path d="M-90 -118 q60 -44 130 -34" fill="none" stroke="#fff" stroke-opacity="0.35" stroke-width="16" stroke-linecap="round"/>`;
    case 'curls':
      return bubbles(
        [
          [-130, -116, 62],
          [-70, -162, 68],
          [4, -176, 70],
          [78, -160, 68],
          [134, -112, 60],
          [-160, -52, 44],
          [160, -52, 44],
          [-30, -122, 44],
          [46, -120, 44],
        ],
        hair,
      );
    case 'afro':
      return bubbles(
        [
          [-120, -130, 70],
          [-50, -166, 72],
          [30, -168, 72],
          [110, -136, 70],
          [-158, -66, 46],
          [158, -66, 46],
        ],
        hair,
      );
    case 'bob':
    case 'silverBob':
      return `<path d="M-178 60 C-206 -246 206 -246 178 60 C176 -20 168 -70 146 -96 Q40 -64 -146 -92 C-168 -66 -176 -20 -178 60Z" fill="${hair}"/><path d="M-120 -150 q110 -60 230 0" ${stroke(light)}/>`;
    case 'long':
      return `<path d="M-182 90 C-210 -250 210 -250 182 90 C176 -20 160 -90 16 -168 C-140 -96 -176 -20 -182 90Z" fill="${hair}"/><path d="M30 -160 q100 40 126 140" ${stroke(light)}/>`;
    case 'waves':
      return `<path d="M-184 80 C-214 -256 214 -256 184 80 C196 0 150 -60 60 -150 C-20 -70 -140 -110 -160 -30 C-176 10 -190 30 -184 80Z" fill="${hair}"/><path d="M70 -150 q90 60 96 140" ${stroke(light)}/>`;
    case 'shag':
      return `<path d="M-180 40 C-206 -248 206 -248 180 40 C170 -10 160 -40 150 -70 L110 -44 L84 -84 L40 -46 L4 -88 L-40 -46 L-80 -86 L-112 -44 L-150 -70 C-160 -40 -170 -10 -180 40Z" fill="${hair}"/><path d="M-110 -150 q100 -54 210 -6" ${stroke(light)}/>`;
    case 'pixie':
      return `<path d="M-174 30 C-206 -240 196 -256 174 10 C168 -40 158 -70 144 -86 C90 -60 -20 -60 -96 -120 C-110 -70 -150 -60 -158 -30 C-166 -6 -170 10 -174 30Z" fill="${hair}"/><path d="M-70 -160 q90 60 190 56" ${stroke(light)}/>`;
    case 'bun':
    case 'topknot':
    case 'ponytail':
      return `<path d="M-170 0 C-196 -234 196 -234 170 0 C164 -54 150 -92 110 -122 Q0 -160 -110 -122 C-150 -92 -164 -54 -170 0Z" fill="${hair}"/><path d="M-92 -142 Q0 -186 92 -142" ${stroke(light)}/>`;
    case 'braids':
      return `<path d="M-174 20 C-200 -240 200 -240 174 20 C168 -50 150 -100 6 -172 C-150 -100 -168 -50 -174 20Z" fill="${hair}"/><path d="M0 -196 V-168" ${stroke(shade(hair, -0.3))}/>`;
    case 'hijab':
      return `<path fill-rule="evenodd" d="M-206 0 C-220 -280 220 -280 206 0 C214 130 190 210 130 262 Q0 330 -130 262 C-190 210 -214 130 -206 0Z M-146 -20 C-150 80 -120 140 -84 170 Q0 226 84 170 C120 140 150 80 146 -20 C140 -150 -140 -150 -146 -20Z" fill="${hair}"/><path d="M-150 -170 q150 -96 300 0 M-120 250 q120 70 250 -20" ${stroke(light)}/>`;
  }
}

function stroke(colour: string): string {
  return `fill="none" stroke="${colour}" stroke-width="13" stroke-linecap="round" opacity="0.7"`;
}

function bubbles(circles: number[][], fill: string): string {
  return circles.map(([x, y, r]) => `<circle cx="${x}" cy="${y}" r="${r}" fill="${fill}"/>`).join('');
}

function braid(x: number, fill: string): string {
  const beads = [90, 150, 210, 270, 330].map(
    (y, i) => `<ellipse cx="${x}" cy="${y}" rx="${46 - i * 3}" ry="40" fill="${fill}"/>`,
  );
  return `${beads.join('')}<rect x="${x - 22}" y="360" width="44" height="20" rx="8" fill="#f2c14e"/><path d="M${x - 24} 378 q24 60 48 0z" fill="${fill}"/>`;
}
