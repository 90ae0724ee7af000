import { useEffect } from 'preact/hooks';
import { CallLayer } from './call/CallLayer.tsx';
import { Logo } from './shell/Logo.tsx';
import { Shell } from './shell/Shell.tsx';
import { Toasts } from './shell/Toasts.tsx';
import { calls } from './store/calls.ts';
import { useStore } from './store/Store.ts';
import { session } from './store/session.ts';
import { LinkFromMail, mailLink } from './welcome/LinkFromMail.tsx';
import { Welcome } from './welcome/Welcome.tsx';

/** The whole page. */
export function App() {
  const { phase } = useStore(session);
  const inCall = useStore(calls).current !== null;

  useEffect(() => {
    if (!inCall) return;
    // A dialog of the page would lie above the call, and keep it from being used.
    for (const dialog of document.querySelectorAll('[inert] dialog[open]')) {
      dialog.dispatchEvent(new Event('cancel', { cancelable: true }));
    }
  }, [inCall]);
  return (
    <>
      {/* What is under a call can be neither tabbed into nor read aloud. */}
      <div inert={inCall}>
        <Content phase={phase} />
      </div>
      {phase === 'in' && <CallLayer />}
      <Toasts />
    </>
  );
}

function Content({ phase }: { phase: 'loading' | 'out' | 'in' }) {
  if (useStore(mailLink).page !== null) return <LinkFromMail />;
  if (phase === 'out') return <Welcome />;
  if (phase === 'in') return <Shell />;
  return (
    <div class="splash" role="status" aria-label="Loading">
      <Logo size={56} />
    </div>
  );
}
