/** A person from the head to below the shoulders, in the coordinates of `face.ts`. */
import { face, neck } from './face.ts';
import { hairBack, hairFront } from './hair.ts';
import { type Look, shade } from './look.ts';

/** The figure as an SVG group; the head's middle is at (0, 0), the picture may end anywhere below y = 500. */
export function figure(look: Look): string {
  return `<g>${hairBack(look)}${neck(look)}${clothes(look)}${face(look)}${hairFront(look)}${scarf(look)}</g>`;
}

function clothes(look: Look): string {
  const { colour } = look;
  const dark = shade(colour, -0.18);
  const body =
    'M-380 900 C-380 520 -360 400 -230 350 C-150 322 -110 306 -70 282 Q0 350 70 282 C110 306 150 322 230 350 C360 400 380 520 380 900Z';
  const arms = `<path d="M-236 560 q-14 160 -10 340 M236 560 q14 160 10 340" fill="none" stroke="${dark}" stroke-width="12" stroke-linecap="round"/>`;
  const torso = `<path d="${body}" fill="${colour}"/>${arms}`;
  switch (look.clothes) {
    case 'crew':
      return `${torso}<path d="M-84 286 Q0 376 84 286" fill="none" stroke="${dark}" stroke-width="22" stroke-linecap="round"/>`;
    case 'collar':
      return `${torso}<path d="M0 342 V900" stroke="${dark}" stroke-width="8"/>
        <path d="M-92 268 L0 346 L-70 410 L-130 306Z M92 268 L0 346 L70 410 L130 306Z" fill="${shade(colour, 0.25)}" stroke="${dark}" stroke-width="6" stroke-linejoin="round"/>
        <g fill="${dark}"><circle cx="0" cy="450" r="9"/><circle cx="0" cy="560" r="9"/><circle cx="0" cy="670" r="9"/></g>`;
    case 'hoodie':
      return `<path d="M-210 380 C-220 220 220 220 210 380Z" fill="${dark}"/>${torso}
        <path d="M-150 320 Q0 460 150 320 Q120 272 70 276 Q0 372 -70 276 Q-120 272 -150 320Z" fill="${shade(colour, -0.1)}"/>
        <path d="M-46 396 v120 M46 396 v120" stroke="#fff" stroke-opacity="0.85" stroke-width="9" stroke-linecap="round"/>`;
    case 'turtleneck':
      return `${torso}<path d="M-80 206 Q0 250 80 206 L96 318 Q0 380 -96 318Z" fill="${shade(colour, 0.08)}"/><path d="M-84 252 Q0 300 84 252" fill="none" stroke="${dark}" stroke-width="6" opacity="0.5"/>`;
    case 'vneck':
      return `${torso}<path d="M-74 280 L0 450 L74 280 Q0 330 -74 280Z" fill="${look.skin}"/><path d="M-84 282 L0 462 L84 282" fill="none" stroke="${dark}" stroke-width="18" stroke-linejoin="round" stroke-linecap="round"/>`;
    case 'stripes': {
      const id = `s${colour.slice(1)}`;
      const bands = [400, 480, 560, 640, 720, 800].map(
        (y) => `<rect x="-400" y="${y}" width="800" height="36" fill="${shade(colour, 0.75)}"/>`,
      );
      return `${torso}<clipPath id="${id}"><path d="${body}"/></clipPath><g clip-path="url(#${id})">${bands.join('')}</g>${arms}
        <path d="M-84 286 Q0 376 84 286" fill="none" stroke="${shade(colour, 0.75)}" stroke-width="22" stroke-linecap="round"/>`;
    }
    case 'jacket':
      return `${torso}<path d="M-70 282 Q0 350 70 282 L120 900 L-120 900Z" fill="#f6f1ea"/>
        <path d="M-92 272 L-150 330 L-186 500 L-96 560 L-40 900 L-130 900 L-240 400Z M92 272 L150 330 L186 500 L96 560 L40 900 L130 900 L240 400Z" fill="${dark}"/>`;
    case 'dress':
      return `<path d="M-330 470 C-320 400 -280 370 -230 350 C-150 322 -110 306 -70 282 Q0 350 70 282 C110 306 150 322 230 350 C280 370 320 400 330 470 L340 900 L-340 900Z" fill="${look.skin}"/>
        <path d="M-250 900 C-260 640 -250 540 -216 470 L-170 330 L-138 330 C-110 470 110 470 138 330 L170 330 L216 470 C250 540 260 640 250 900Z" fill="${colour}"/>
        <path d="M-60 340 Q0 400 60 340" fill="none" stroke="#f2c14e" stroke-width="7"/><circle cx="0" cy="376" r="13" fill="#f2c14e"/>`;
  }
}

/** The end of a headscarf lies over the clothes. */
function scarf(look: Look): string {
  if (look.hairStyle !== 'hijab') return '';
  return `<path d="M-150 240 Q0 360 150 240 Q230 330 250 420 Q80 520 -60 440 Q-180 400 -220 380 Q-200 300 -150 240Z" fill="${look.hair}"/>
    <path d="M-120 300 Q20 410 190 350" fill="none" stroke="${shade(look.hair, -0.16)}" stroke-width="10" stroke-linecap="round"/>`;
}
