import { useState } from 'preact/hooks';
import type { Card } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { Dialog } from '../shell/Dialog.tsx';
import { MoreIcon } from '../shell/icons.tsx';
import { say, sayError } from '../store/toasts.ts';
import { ReportForm } from './ReportForm.tsx';

type Props = {
  person: Card;
  callId?: string;
  testId?: string;
  /** One is rid of the person: blocked, or reported with blocking. */
  onGone: () => void;
  /** More things to do, shown first. */
  extra?: { label: string; testId: string; run: () => void }[];
};

/** What one may do about a person: report, block. */
export function PersonMenu({ person, callId, testId = 'person-menu', onGone, extra = [] }: Props) {
  const [open, setOpen] = useState<'menu' | 'report' | null>(null);
  const close = () => setOpen(null);
  const block = async () => {
    close();
    try {
      await duet.people.block(person.id);
      say(`You will not see ${person.displayName} again.`);
      onGone();
    } catch (error) {
      sayError(error);
    }
  };
  return (
    <>
      <button
        type="button"
        class="icon-button"
        aria-label={`More about ${person.displayName}`}
        data-testid={testId}
        onClick={() => setOpen('menu')}
      >
        <MoreIcon />
      </button>
      {open === 'menu' && (
        <Dialog title={person.displayName} onClose={close}>
          <div class="menu">
            {extra.map(({ label, testId, run }) => (
              <button
                key={label}
                type="button"
                class="menu-item"
                data-testid={testId}
                onClick={() => {
                  close();
                  run();
                }}
              >
                {label}
              </button>
            ))}
            <button
              type="button"
              class="menu-item"
              data-testid="person-report"
              onClick={() => setOpen('report')}
            >
              Report
            </button>
            <button
              type="button"
              class="menu-item bad"
              data-testid="person-block"
              onClick={() => void block()}
            >
              Block
            </button>
            <button type="button" class="menu-item" onClick={close}>
              Cancel
            </button>
          </div>
        </Dialog>
      )}
      {open === 'report' && (
        <Dialog title={`Report ${person.displayName}`} onClose={close}>
          <ReportForm person={person} callId={callId} onDone={onGone} onClose={close} />
        </Dialog>
      )}
    </>
  );
}
