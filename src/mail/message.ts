/** A mail that is ready to go. `to` is an address of the directory or of a sealed link, never a raw header. */
export interface Message {
  to: string;
  subject: string;
  text: string;
  html: string;
  /** The same at every try, where a mail may be tried again later: a provider that knows it takes the mail once. */
  idempotencyKey?: string;
}

/** A way for a mail to leave. Throws when it did not. */
export type MailTransport = (message: Message) => Promise<void>;
