import type { ComponentChildren } from 'preact';

/** Line icons on a grid of 24, drawn in the text's colour. They are decoration: whoever uses one gives the label. */
function icon(children: ComponentChildren) {
  return function Icon({ size = 22 }: { size?: number }) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        stroke-width="2"
        stroke-linecap="round"
        stroke-linejoin="round"
        aria-hidden="true"
      >
        {children}
      </svg>
    );
  };
}

const HANDSET =
  'M5 4h3.5l1.8 4.5-2.2 1.6a11.5 11.5 0 0 0 5.8 5.8l1.6-2.2L20 15.5V19a2 2 0 0 1-2.2 2A16 16 0 0 1 3 6.2 2 2 0 0 1 5 4Z';

export const PhoneIcon = icon(<path d={HANDSET} />);
export const HangUpIcon = icon(<path d={HANDSET} transform="rotate(135 12 12)" />);
export const VideoIcon = icon(
  <>
    <rect x="3" y="6" width="12" height="12" rx="3" />
    <path d="m15 11 6-3.5v9L15 13" />
  </>,
);
export const VideoOffIcon = icon(
  <>
    <path d="M9.5 6H12a3 3 0 0 1 3 3v2l6-3.5v9M15 15.5A3 3 0 0 1 12 18H6a3 3 0 0 1-3-3V9a3 3 0 0 1 2-2.8" />
    <path d="m3 3 18 18" />
  </>,
);
export const MicIcon = icon(
  <>
    <rect x="9" y="3" width="6" height="11" rx="3" />
    <path d="M5 11a7 7 0 0 0 14 0M12 18v3" />
  </>,
);
export const MicOffIcon = icon(
  <>
    <path d="M15 10V6a3 3 0 0 0-5.8-1M9 9v2a3 3 0 0 0 4.5 2.6M5 11a7 7 0 0 0 11 5.7M19 11a7 7 0 0 1-.5 2.6M12 18v3" />
    <path d="m3 3 18 18" />
  </>,
);
export const HeartIcon = icon(
  <path d="M12 20.5S3.5 15.6 3.5 9.4A4.9 4.9 0 0 1 12 6.3a4.9 4.9 0 0 1 8.5 3.1c0 6.2-8.5 11.1-8.5 11.1Z" />,
);
export const CrossIcon = icon(<path d="M6 6l12 12M18 6 6 18" />);
export const UndoIcon = icon(<path d="M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3" />);
export const PlusTimeIcon = icon(
  <>
    <path d="M20.5 13.5A8.5 8.5 0 1 1 12 4.5" />
    <path d="M12 9v4.5l3 1.7M19 3v6M16 6h6" />
  </>,
);
export const MoreIcon = icon(
  <>
    <circle cx="5" cy="12" r="1" />
    <circle cx="12" cy="12" r="1" />
    <circle cx="19" cy="12" r="1" />
  </>,
);
export const PinIcon = icon(
  <>
    <path d="M12 21s7-6.2 7-11a7 7 0 0 0-14 0c0 4.8 7 11 7 11Z" />
    <circle cx="12" cy="10" r="2.5" />
  </>,
);
export const CardsIcon = icon(
  <>
    <rect x="7" y="4" width="13" height="16" rx="3" />
    <path d="M4 7v10a3 3 0 0 0 .6 1.8" />
  </>,
);
export const PairIcon = icon(
  <>
    <circle cx="9" cy="12" r="6" />
    <circle cx="15" cy="12" r="6" />
  </>,
);
export const PersonIcon = icon(
  <>
    <circle cx="12" cy="8" r="4" />
    <path d="M4.5 20.5a7.5 7.5 0 0 1 15 0" />
  </>,
);
export const SlidersIcon = icon(<path d="M4 7h8M18 7h2M4 17h2M12 17h8M15 4.5v5M9 14.5v5" />);
export const PlusIcon = icon(<path d="M12 5v14M5 12h14" />);
export const LockIcon = icon(
  <>
    <rect x="5" y="11" width="14" height="9" rx="2.5" />
    <path d="M8 11V8a4 4 0 0 1 8 0v3" />
  </>,
);
export const LockOpenIcon = icon(
  <>
    <rect x="5" y="11" width="14" height="9" rx="2.5" />
    <path d="M8 11V7a4 4 0 0 1 7.7-1.5" />
  </>,
);
