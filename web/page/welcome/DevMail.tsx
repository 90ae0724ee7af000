import { useEffect, useState } from 'preact/hooks';
import { type Mail, newestMail, tokenLink } from './development.ts';

const EVERY_MS = 2_000;
const TRIES = 15;

/** In development there is no post: shows the newest mail to an address, with its link. */
export function DevMail({ to }: { to: string }) {
  const [mail, setMail] = useState<Mail | undefined>();
  useEffect(() => {
    let tries = 0;
    const look = async () => {
      const newest = await newestMail(to);
      if (newest) setMail(newest);
      tries += 1;
      if (newest || tries >= TRIES) clearInterval(timer);
    };
    const timer = setInterval(look, EVERY_MS);
    void look();
    return () => clearInterval(timer);
  }, [to]);
  const link = mail && tokenLink(mail);
  if (!mail || !link) return null;
  return (
    <p class="dev-mail">
      <span class="tag">development</span> Mail:{' '}
      <a href={link} data-testid="dev-mail-link">
        {mail.subject}
      </a>
    </p>
  );
}
