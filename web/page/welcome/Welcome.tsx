import { useState } from 'preact/hooks';
import { Logo } from '../shell/Logo.tsx';
import { DemoPeople } from './DemoPeople.tsx';
import { Forgot } from './Forgot.tsx';
import { Register } from './Register.tsx';
import { SignIn } from './SignIn.tsx';

export type Door = 'sign-in' | 'register' | 'forgot';

/** The page of nobody: what Duet is, and the ways in. */
export function Welcome() {
  const [door, setDoor] = useState<Door>('sign-in');
  return (
    <div class="welcome">
      <header class="welcome-hero">
        <span class="brand">
          <Logo size={34} />
          <span>Duet</span>
        </span>
        <div class="voices" aria-hidden="true">
          <span class="voice voice-you" />
          <span class="voice voice-them" />
        </div>
        <h1>Hear each other first.</h1>
        <p>
          You like each other, you talk. Five minutes, two voices. More time, or video, only when both of you
          want it.
        </p>
      </header>
      <div class="welcome-doors">
        <section class="panel">
          {door === 'sign-in' && <SignIn open={setDoor} />}
          {door === 'register' && <Register open={setDoor} />}
          {door === 'forgot' && <Forgot open={setDoor} />}
        </section>
        <DemoPeople />
      </div>
    </div>
  );
}
