import type { Card } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { Field } from '../shell/Field.tsx';
import { text, useSubmit } from '../shell/useSubmit.ts';
import { say } from '../store/toasts.ts';

const REASONS = [
  { value: 'harassment', label: 'Harassment or threats' },
  { value: 'sexual_content', label: 'Unwanted sexual content' },
  { value: 'fake', label: 'Not who they say they are' },
  { value: 'underage', label: 'Seems to be under 18' },
  { value: 'spam', label: 'Spam or a scam' },
  { value: 'other', label: 'Something else' },
];

type Props = { person: Card; callId?: string; onDone: () => void; onClose: () => void };

/** Tells the moderators about a person, and by default blocks them. */
export function ReportForm({ person, callId, onDone, onClose }: Props) {
  const { busy, problem, onSubmit } = useSubmit(async (form) => {
    const block = form.get('block') !== null;
    const details = text(form, 'details');
    await duet.people.report(person.id, {
      reason: text(form, 'reason'),
      block,
      ...(details && { details }),
      ...(callId && { callId }),
    });
    say('Thank you. We will look into it.');
    onClose();
    if (block) onDone();
  });
  return (
    <form onSubmit={onSubmit}>
      <Field label="What happened?">
        <select name="reason">
          {REASONS.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </Field>
      <Field label="Details" hint="Only our moderators read this.">
        <textarea name="details" rows={3} maxLength={1000} />
      </Field>
      <label class="check">
        <input type="checkbox" name="block" defaultChecked /> Block {person.displayName} as well
      </label>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="row-end">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="button primary" disabled={busy}>
          Send report
        </button>
      </div>
    </form>
  );
}
