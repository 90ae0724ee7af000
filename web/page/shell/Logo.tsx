/** Two voices, and what they share. */
export function Logo({ size = 32 }: { size?: number }) {
  return (
    <svg class="logo" width={size * 1.3} height={size} viewBox="0 0 42 32" aria-hidden="true">
      <circle class="logo-you" cx="15" cy="16" r="14" />
      <circle class="logo-them" cx="27" cy="16" r="14" />
      <path class="logo-both" d="M21 3.35a14 14 0 0 1 0 25.3 14 14 0 0 1 0-25.3Z" />
    </svg>
  );
}
