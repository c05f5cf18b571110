import type { MailTransport, Message } from "./message.ts";

/** A mail in the development mailbox. */
export interface DeliveredMessage extends Message {
  id: string;
  /** RFC 3339. */
  at: string;
}

/** Enough for any walk through the product; a development server that runs for weeks forgets the oldest. */
const CAPACITY = 500;

const delivered: DeliveredMessage[] = [];

/** Keeps mails in memory for `GET /dev/mailbox`. Compiled in for local development alone. */
export const mailboxTransport: MailTransport = async (message) => {
  delivered.unshift({ id: crypto.randomUUID(), at: new Date().toISOString(), ...message });
  delivered.splice(CAPACITY);
};

/** The mails to one address, newest first. */
export function readMailbox(to: string): DeliveredMessage[] {
  return delivered.filter((message) => message.to.toLowerCase() === to.toLowerCase());
}
