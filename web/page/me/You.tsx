import { duet } from '../duet.ts';
import { useStore } from '../store/Store.ts';
import { session } from '../store/session.ts';
import { Account } from './Account.tsx';
import { Blocked } from './Blocked.tsx';
import { Devices } from './Devices.tsx';
import { PhotoGrid } from './PhotoGrid.tsx';
import { PreferencesForm } from './PreferencesForm.tsx';
import { ProfileForm } from './ProfileForm.tsx';

/** The own profile, as others see it, and whom one wants to meet. */
export function You() {
  const { me } = useStore(session);
  if (!me) return null;
  return (
    <section class="you" aria-label="You">
      <header class="you-head">
        <h1>{me.displayName}</h1>
        <button type="button" class="button" data-testid="sign-out" onClick={() => void duet.auth.logout()}>
          Sign out
        </button>
      </header>
      <div class="you-columns">
        <div class="you-column">
          <PhotoGrid me={me} />
          <PreferencesForm me={me} />
        </div>
        <div class="you-column">
          <ProfileForm me={me} />
          <Account me={me} />
          <Devices />
          <Blocked />
        </div>
      </div>
    </section>
  );
}
