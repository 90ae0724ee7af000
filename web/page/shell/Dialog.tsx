import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

type Props = {
  title: string;
  onClose: () => void;
  /** `night` for what belongs to the two rather than to the page. */
  tone?: 'night';
  children: ComponentChildren;
};

/** A modal sheet: keeps the focus inside, closes on Escape and on a click beside it. */
export function Dialog({ title, onClose, tone, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  /** Where the pointer went down: who marks a text and lets go beside the sheet does not mean to close it. */
  const pressed = useRef<EventTarget | null>(null);
  // While it is still in the page: only then the focus goes back to where it was.
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape is the keyboard's way, and the browser's own.
    <dialog
      ref={ref}
      class={`dialog${tone ? ` dialog-${tone}` : ''}`}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        pressed.current = event.target;
      }}
      onClick={(event) => {
        if (event.target === ref.current && pressed.current === ref.current) onClose();
      }}
    >
      <div class="dialog-body">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}
