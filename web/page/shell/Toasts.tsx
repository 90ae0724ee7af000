import { useStore } from '../store/Store.ts';
import { dismiss, goOn, hold, toasts } from '../store/toasts.ts';
import { CrossIcon } from './icons.tsx';

/** What the page has to say at the moment. */
export function Toasts() {
  const { items } = useStore(toasts);
  return (
    // What is pointed at does not go away (WCAG 2.2.1).
    <div
      class="toasts"
      role="status"
      aria-live="polite"
      onMouseEnter={hold}
      onMouseLeave={goOn}
      onFocusIn={hold}
      onFocusOut={goOn}
    >
      {items.map((toast) => (
        <div key={toast.id} class={`toast toast-${toast.tone}`} data-testid="toast">
          <span>{toast.text}</span>
          <button
            type="button"
            class="icon-button small"
            aria-label="Dismiss"
            onClick={() => dismiss(toast.id)}
          >
            <CrossIcon size={16} />
          </button>
        </div>
      ))}
    </div>
  );
}
