import { createTransport, type Transporter } from 'nodemailer';

/** A mail that is ready to go: one recipient, text and HTML. */
export interface Mail {
  to: string;
  subject: string;
  text: string;
  html: string;
  /** Makes the Message-ID: a mail that has to be sent again is the same one to the receiver. */
  id: string;
}

/** Sends mails, or throws so that the caller tries again later. */
export interface Mailer {
  send(mail: Mail): Promise<void>;
  close(): Promise<void>;
}

export interface SmtpMailerOptions {
  /** smtp:// or smtps:// URL. */
  url: string;
  /** `Duet <no-reply@example.org>`. */
  from: string;
}

/** A server that does not answer fails a try after this long. */
const TIMEOUT_MS = 10_000;

/** Mails over SMTP (RFC 5321), with TLS where the server offers it. */
export class SmtpMailer implements Mailer {
  readonly #transport: Transporter;
  readonly #from: string;
  readonly #domain: string;

  constructor(options: SmtpMailerOptions) {
    this.#from = options.from;
    this.#domain = /@([^@>\s]+)>?\s*$/.exec(options.from)?.[1] ?? 'localhost';
    this.#transport = createTransport({
      url: options.url,
      pool: true,
      maxConnections: 3,
      connectionTimeout: TIMEOUT_MS,
      greetingTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
      // Nothing in a mail may be read from this machine or fetched from elsewhere.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }

  async send(mail: Mail): Promise<void> {
    await this.#transport.sendMail({
      from: this.#from,
      // As an object, so that nothing in the address can add a recipient.
      to: { name: '', address: mail.to },
      subject: mail.subject,
      text: mail.text,
      html: mail.html,
      messageId: `<${mail.id}@${this.#domain}>`,
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
  }

  close(): Promise<void> {
    this.#transport.close();
    return Promise.resolve();
  }
}
