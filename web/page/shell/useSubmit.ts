import { useState } from 'preact/hooks';
import { messageOf } from '../store/toasts.ts';

/** A form's sending: whether it is under way, and what went wrong; `words` as of `messageOf`. */
export function useSubmit(send: (form: FormData) => Promise<void>, words?: Record<string, string>) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const onSubmit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy || !(event.target instanceof HTMLFormElement)) return;
    setBusy(true);
    setProblem(null);
    try {
      await send(new FormData(event.target));
    } catch (error) {
      setProblem(messageOf(error, words));
    } finally {
      setBusy(false);
    }
  };
  return { busy, problem, onSubmit };
}

/** A text field's value. */
export function text(form: FormData, name: string): string {
  return String(form.get(name) ?? '').trim();
}
