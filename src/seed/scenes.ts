/** Where the demo people's pictures were taken: backgrounds of 1080 × 1350. */
import { type Scene, shade } from './look.ts';

const WIDTH = 1080;
const HEIGHT = 1350;

/** A plain studio wall with one large soft shape. `turn` (0..1) varies it. */
export function backdrop(colour: string, turn: number): string {
  const light = shade(colour, 0.28);
  const shapes = [
    `<circle cx="540" cy="600" r="440" fill="${light}"/>`,
    `<path d="M120 1350 V640 a420 420 0 0 1 840 0 V1350Z" fill="${light}"/>`,
    `<path d="M0 980 Q280 760 560 900 T1080 780 V1350 H0Z" fill="${light}"/><circle cx="850" cy="240" r="120" fill="${light}"/>`,
    `<path d="M-60 420 L620 -60 L1140 -60 L1140 300 L-60 1150Z" fill="${light}"/>`,
  ];
  return sky(shade(colour, 0.06), shade(colour, -0.1)) + shapes[Math.floor(turn * shapes.length)]!;
}

export function scene(kind: Scene, colour: string): string {
  switch (kind) {
    case 'hills':
      return `${sky('#bfe3f2', '#fdf1dc')}${sun(820, 260, '#ffe19a')}${cloud(220, 240)}${cloud(620, 400, 0.7)}
        <path d="M0 820 L240 520 L430 760 L640 440 L900 800 L1080 640 V1350 H0Z" fill="#8fb0bf"/><path d="M640 440 L570 546 l50 -16 l36 40 l34 -36 l30 10Z M240 520 L190 584 l46 -10 l40 30 l16 -24Z" fill="#fff"/>
        <path d="M0 940 Q260 760 560 900 T1080 840 V1350 H0Z" fill="#7fb069"/><path d="M0 1080 Q360 940 700 1060 T1080 1020 V1350 H0Z" fill="#5f9654"/>${pine(120, 980)}${pine(960, 950)}${pine(850, 1000, 0.7)}`;
    case 'sea':
      return `${sky('#ffd9b8', '#ffeede')}${sun(760, 560, '#ff9b6a', 130)}
        <rect y="620" width="1080" height="420" fill="#3f8fa8"/><path d="M0 700 h1080 M80 760 h300 M600 780 h380 M240 840 h420 M740 880 h260 M40 920 h260" stroke="#8fd0dc" stroke-width="12" stroke-linecap="round" opacity="0.55"/>
        <path d="M150 600 l0 -170 l110 150z" fill="#fff"/><path d="M90 604 h210 l-40 46 h-130z" fill="#d9594c"/>
        <path d="M0 1020 Q300 960 620 1030 T1080 1000 V1350 H0Z" fill="#f4d9a6"/>`;
    case 'city':
      return `${sky('#fbd3c1', '#f7efe4')}${sun(250, 360, '#fff3c9')}${towers('#d8a9a0', [
        [0, 560, 170],
        [190, 430, 150],
        [360, 610, 140],
        [700, 480, 160],
        [880, 580, 200],
      ])}
        ${towers('#a9788a', [
          [-20, 720, 150],
          [150, 640, 190],
          [770, 690, 140],
          [930, 620, 170],
        ])}<rect y="1080" width="1080" height="270" fill="#6d5a70"/><path d="M0 1180 h1080" stroke="#f7efe4" stroke-width="14" stroke-dasharray="90 70"/>`;
    case 'park':
      return `${sky('#cdeaf0', '#f1f8e6')}${cloud(760, 220)}${cloud(260, 320, 0.8)}<path d="M0 800 Q300 720 600 790 T1080 760 V1350 H0Z" fill="#a5cf7f"/>
        ${tree(150, 860)}${tree(930, 840, 1.15)}${tree(720, 800, 0.7)}<path d="M400 1350 Q500 1000 640 800 L700 800 Q640 1040 800 1350Z" fill="#efe0b8"/>`;
    case 'cafe':
      return `<rect width="1080" height="1350" fill="#e9d2b8"/><rect x="90" y="150" width="420" height="560" rx="210" fill="#bfe0e6"/><path d="M300 150 v560 M90 440 h420" stroke="#8a5a3c" stroke-width="18"/>
        <rect x="90" y="150" width="420" height="560" rx="210" fill="none" stroke="#8a5a3c" stroke-width="24"/>${lamp(760, 0, 330)}${lamp(930, 0, 240)}
        <rect x="620" y="520" width="380" height="22" rx="8" fill="#8a5a3c"/>${pot(680, 520, '#6f9b5b')}${mug(820, 470, '#d9594c')}${mug(910, 470, '#f2c14e')}<rect y="1120" width="1080" height="230" fill="#8a5a3c"/><rect y="1120" width="1080" height="26" fill="#a87450"/>`;
    case 'library':
      return `<rect width="1080" height="1350" fill="#5a3f35"/>${[120, 400, 680, 960].map((y, row) => shelf(y, row)).join('')}${lamp(880, 0, 200)}`;
    case 'night':
      return `${sky('#1d2347', '#54407a')}<circle cx="820" cy="260" r="100" fill="#fdf3c8"/><circle cx="780" cy="236" r="92" fill="#252b54"/>${stars()}
        ${towers(
          '#2b2d5c',
          [
            [0, 640, 200],
            [220, 540, 150],
            [390, 720, 170],
            [650, 600, 150],
            [820, 680, 260],
          ],
          '#f9d976',
        )}<rect y="1120" width="1080" height="230" fill="#1a1c3d"/>`;
    case 'kitchen':
      return `<rect width="1080" height="1350" fill="#f3e7d7"/>${tiles()}<rect x="80" y="180" width="360" height="260" rx="16" fill="#7fa99b"/><path d="M260 180 v260" stroke="#5e8577" stroke-width="10"/>
        <rect x="620" y="300" width="380" height="20" rx="8" fill="#8a5a3c"/>${pot(700, 300, '#6f9b5b')}${mug(820, 250, '#3f8fa8')}${pot(930, 300, '#88b06a')}<rect y="1060" width="1080" height="290" fill="#7fa99b"/><rect y="1030" width="1080" height="40" fill="#d9c3a5"/>`;
    case 'stage':
      return `<rect width="1080" height="1350" fill="#2a1a3a"/><path d="M200 0 L-60 1350 H520Z" fill="#ff7aa2" opacity="0.28"/><path d="M880 0 L560 1350 H1180Z" fill="#5ad1e6" opacity="0.28"/><path d="M540 0 L280 1350 H800Z" fill="#ffe19a" opacity="0.24"/>
        ${[140, 330, 540, 750, 940].map((x) => `<circle cx="${x}" cy="46" r="38" fill="#fff3c9"/>`).join('')}<rect y="1140" width="1080" height="210" fill="#1a0f26"/>`;
    case 'studio':
      return `<rect width="1080" height="1350" fill="#efe9e1"/><rect x="90" y="140" width="380" height="480" fill="#fff" stroke="#c9b8a4" stroke-width="16"/><circle cx="230" cy="330" r="90" fill="${colour}"/><path d="M250 480 q80 -200 180 -60 v150 h-300z" fill="#f2c14e"/>
        <rect x="620" y="220" width="340" height="300" fill="#fff" stroke="#c9b8a4" stroke-width="16"/><path d="M640 480 q80 -180 150 -40 t150 -80 v140 h-300z" fill="#3f8fa8"/><circle cx="870" cy="300" r="40" fill="#d9594c"/><rect y="1140" width="1080" height="210" fill="#d6c6b2"/>`;
    case 'snow':
      return `${sky('#d8e6f5', '#f7fafc')}<path d="M0 800 L300 460 L520 720 L760 500 L1080 820 V1350 H0Z" fill="#b5c9de"/><path d="M0 920 Q300 800 600 900 T1080 860 V1350 H0Z" fill="#fff"/>
        ${pine(130, 940, 1.2, '#4f7a74')}${pine(950, 920, 1.3, '#4f7a74')}${pine(820, 960, 0.8, '#4f7a74')}${flakes()}`;
    case 'garden':
      return `${sky('#f9e6c9', '#fdf6e6')}<path d="M0 760 h1080 v590 h-1080z" fill="#9cc27d"/>${[60, 200, 340, 720, 860, 1000].map((x) => `<path d="M${x} 540 l40 -50 l40 50 v240 h-80z" fill="#fff" stroke="#e0d4bd" stroke-width="6"/>`).join('')}<rect y="600" width="1080" height="30" fill="#fff"/>
        ${[40, 150, 250, 820, 920, 1030].map((x, i) => flower(x, 900 + (i % 3) * 110, ['#d9594c', '#f2c14e', '#c86fa8'][i % 3]!)).join('')}`;
  }
}

function sky(top: string, bottom: string): string {
  const id = `g${top.slice(1)}${bottom.slice(1)}`;
  return `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${top}"/><stop offset="1" stop-color="${bottom}"/></linearGradient><rect width="${WIDTH}" height="${HEIGHT}" fill="url(#${id})"/>`;
}

const sun = (x: number, y: number, fill: string, r = 100) =>
  `<circle cx="${x}" cy="${y}" r="${r * 1.5}" fill="${fill}" opacity="0.3"/><circle cx="${x}" cy="${y}" r="${r}" fill="${fill}"/>`;
const cloud = (x: number, y: number, scale = 1) =>
  `<g transform="translate(${x} ${y}) scale(${scale})" fill="#fff" opacity="0.85"><circle r="60"/><circle cx="70" cy="-20" r="76"/><circle cx="150" r="58"/><rect x="-50" y="0" width="250" height="58" rx="29"/></g>`;
const pine = (x: number, y: number, scale = 1, fill = '#3f7350') =>
  `<g transform="translate(${x} ${y}) scale(${scale})"><rect x="-14" y="120" width="28" height="70" fill="#6b4a35"/><path d="M0 -190 L90 -20 H-90Z M0 -100 L110 80 H-110Z M0 -10 L126 150 H-126Z" fill="${fill}"/></g>`;
const tree = (x: number, y: number, scale = 1) =>
  `<g transform="translate(${x} ${y}) scale(${scale})"><path d="M-22 180 L-14 -40 H14 L22 180Z" fill="#8a5a3c"/><circle cy="-120" r="130" fill="#6fa35a"/><circle cx="-80" cy="-50" r="86" fill="#659950"/><circle cx="84" cy="-60" r="90" fill="#7db366"/></g>`;
const lamp = (x: number, y: number, length: number) =>
  `<path d="M${x} ${y} v${length}" stroke="#4a3428" stroke-width="8"/><path d="M${x - 70} ${length + 60} q70 -120 140 0z" fill="#d9594c"/><ellipse cx="${x}" cy="${length + 62}" rx="50" ry="14" fill="#fff3c9"/>`;
const pot = (x: number, y: number, leaf: string) =>
  `<path d="M${x - 34} ${y - 60} h68 l-12 60 h-44z" fill="#c8744a"/><path d="M${x} ${y - 60} q-70 -60 -40 -120 q40 40 40 120 q0 -90 44 -130 q30 70 -44 130z" fill="${leaf}"/>`;
const mug = (x: number, y: number, fill: string) =>
  `<rect x="${x - 26}" y="${y - 4}" width="52" height="54" rx="8" fill="${fill}"/><path d="M${x + 26} ${y + 8} q26 12 0 30" fill="none" stroke="${fill}" stroke-width="9"/>`;
const flower = (x: number, y: number, fill: string) =>
  `<path d="M${x} ${y} v120" stroke="#5f9654" stroke-width="12"/>${[0, 72, 144, 216, 288].map((turn) => `<ellipse cx="${x}" cy="${y - 34}" rx="24" ry="36" fill="${fill}" transform="rotate(${turn} ${x} ${y})"/>`).join('')}<circle cx="${x}" cy="${y}" r="22" fill="#fff3c9"/>`;

function towers(fill: string, boxes: number[][], light = '#fbe6cf'): string {
  return boxes
    .map(([x, top, width]) => {
      const windows: string[] = [];
      for (let wx = x! + 26; wx < x! + width! - 40; wx += 48) {
        for (let wy = top! + 40; wy < 1000; wy += 74) {
          if ((wx * 7 + wy * 3) % 5 > 1)
            windows.push(`<rect x="${wx}" y="${wy}" width="22" height="36" rx="3"/>`);
        }
      }
      return `<rect x="${x}" y="${top}" width="${width}" height="${1130 - top!}" fill="${fill}"/><g fill="${light}" opacity="0.7">${windows.join('')}</g>`;
    })
    .join('');
}

function shelf(y: number, row: number): string {
  const colours = ['#d9594c', '#f2c14e', '#3f8fa8', '#7fa99b', '#e9d2b8', '#8a6fa8', '#c8744a'];
  const books: string[] = [];
  for (let x = 20, i = row; x < 1040; i++) {
    const width = 34 + ((i * 37) % 5) * 9;
    const height = 150 + ((i * 53) % 6) * 14;
    books.push(
      `<rect x="${x}" y="${y - height}" width="${width}" height="${height}" rx="4" fill="${colours[(i * 5 + row) % colours.length]}"/><rect x="${x + 6}" y="${y - height + 24}" width="${width - 12}" height="10" fill="#fff" opacity="0.5"/>`,
    );
    x += width + 5;
  }
  return `${books.join('')}<rect y="${y}" width="1080" height="30" fill="#3f2b24"/>`;
}

function tiles(): string {
  const lines: string[] = [];
  for (let y = 520; y < 1040; y += 86) lines.push(`M0 ${y} H1080`);
  for (let x = 54; x < 1080; x += 108) lines.push(`M${x} 520 V1040`);
  return `<rect y="520" width="1080" height="520" fill="#fbf6ee"/><path d="${lines.join(' ')}" stroke="#e5d8c6" stroke-width="6"/>`;
}

function stars(): string {
  return Array.from(
    { length: 46 },
    (_, i) =>
      `<circle cx="${spread(i, 0.618, 1080)}" cy="${spread(i, 0.755, 560)}" r="${2 + (i % 4)}" fill="#fff" opacity="${0.5 + (i % 3) * 0.2}"/>`,
  ).join('');
}

function flakes(): string {
  return Array.from(
    { length: 60 },
    (_, i) =>
      `<circle cx="${spread(i, 0.618, 1080)}" cy="${spread(i, 0.755, 1300)}" r="${5 + (i % 4) * 2}" fill="#fff" opacity="0.8"/>`,
  ).join('');
}

/** Points that fill a line evenly without looking regular: multiples of an irrational number. */
function spread(i: number, step: number, length: number): number {
  return Math.round((((i + 1) * step + i * i * 0.0123) % 1) * length);
}
