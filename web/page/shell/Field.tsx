import type { ComponentChildren } from 'preact';

type Props = { label: string; hint?: string; children: ComponentChildren };

/** A labelled field of a form. */
export function Field({ label, hint, children }: Props) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children.
    <label class="field">
      <span class="field-label">{label}</span>
      {children}
      {hint && <span class="field-hint">{hint}</span>}
    </label>
  );
}
