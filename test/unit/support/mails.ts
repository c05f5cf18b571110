import type { Message } from "../../../src/mail/message.ts";
import {
  addressAlreadyTaken,
  alreadyRegistered,
  confirmNewEmail,
  confirmRegistration,
  deletionScheduled,
  emailChangeAsked,
  emailChanged,
  invitation,
  proveMailbox,
  recoveryAsked,
  recoveryReady,
  recoveryRunning,
  resetPassword,
} from "../../../src/mail/messages.ts";
import { type Notice, noticeToOwner } from "../../../src/mail/notices.ts";
import type { Occasion } from "../../../src/mail/occasion.ts";

export const TO = "ada@example.com";
export const LINK = "https://auth.example.com/some-page#token=AbC-_123";
export const AT = Date.UTC(2026, 0, 31, 23, 59, 58);
export const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0";
export const OCCASION: Occasion = {
  at: AT,
  userAgent: FIREFOX,
  network: "192.0.2.0/24",
  place: "Lisbon, Lisboa, PT",
};

/** Everything there is to tell. */
export const NOTICES: Notice[] = [
  { notice: "factor_added", kind: "totp", label: "My phone" },
  { notice: "factor_added", kind: "passkey", label: "My laptop" },
  { notice: "factor_removed", kind: "totp", label: "My phone" },
  { notice: "factor_removed", kind: "passkey", label: "My laptop" },
  { notice: "second_factor_turned_off" },
  { notice: "recovery_code_used", remaining: 7 },
  { notice: "recovery_codes_replaced" },
  { notice: "browser_trusted", until: AT + 30 * 86_400_000 },
  { notice: "password_changed" },
  { notice: "password_reset" },
  { notice: "email_changed" },
  { notice: "email_restored" },
  { notice: "account_frozen" },
  { notice: "recovery_cancelled" },
  { notice: "factors_removed", by: "recovery" },
  { notice: "factors_removed", by: "operator" },
  { notice: "deletion_cancelled" },
  { notice: "unfamiliar_sign_in", unfamiliar: "network" },
  { notice: "unfamiliar_sign_in", unfamiliar: "browser" },
  { notice: "unfamiliar_sign_in", unfamiliar: "both" },
  { notice: "second_factor_failed", how: "wrong" },
  { notice: "second_factor_failed", how: "unanswered" },
  { notice: "refresh_token_reused" },
  { notice: "sign_count_fell" },
];

/** What strangers may have had a hand in, for the mails that show it. */
export interface Chosen {
  link?: string;
  newEmail?: string;
  occasion?: Occasion;
}

/** Every mail with a link that is no notice, by the name of its template. */
export function mailsWithLink(appName: string, chosen: Chosen = {}): Record<string, Message> {
  const { link = LINK, newEmail = "new@example.net", occasion = OCCASION } = chosen;
  return {
    confirmRegistration: confirmRegistration(appName, TO, link),
    proveMailbox: proveMailbox(appName, TO, link),
    resetPassword: resetPassword(appName, TO, link),
    confirmNewEmail: confirmNewEmail(appName, TO, link),
    emailChangeAsked: emailChangeAsked(appName, TO, newEmail, link, occasion),
    emailChanged: emailChanged(appName, TO, newEmail, link),
    recoveryAsked: recoveryAsked(appName, TO, link),
    recoveryRunning: recoveryRunning(appName, TO, AT, link),
    recoveryReady: recoveryReady(appName, TO, link),
    deletionScheduled: deletionScheduled(appName, TO, AT, link),
    invitation: invitation(appName, TO, link),
  };
}

/** Every notice. */
export function noticesOf(appName: string, { link = LINK, occasion = OCCASION }: Chosen = {}): Message[] {
  return NOTICES.map((notice) => noticeToOwner(appName, TO, notice, occasion, link));
}

/** Every mail without a link. */
export function mailsWithoutLink(appName: string): Message[] {
  return [alreadyRegistered(appName, TO), addressAlreadyTaken(appName, TO)];
}

/** Every mail with a link. */
export function linkingMails(appName: string, chosen: Chosen = {}): Message[] {
  return [...Object.values(mailsWithLink(appName, chosen)), ...noticesOf(appName, chosen)];
}

/** Every mail there is. */
export function mailsOf(appName: string, chosen: Chosen = {}): Message[] {
  return [...linkingMails(appName, chosen), ...mailsWithoutLink(appName)];
}

/** The tags of HTML in order, whatever its links lead to. */
export function tagsOf(html: string): string[] {
  return html.match(/<[^>]*>/g)?.map((tag) => tag.replace(/href="[^"]*"/, "href")) ?? [];
}

/** What a reader of HTML sees. */
export function textOf(html: string): string {
  return unescaped(html.replace(/<[^>]*>/g, ""));
}

/** What a reader of HTML sees, by paragraph, with what its links lead to in the place of what they are called. */
export function paragraphsOf(html: string): string[] {
  const paragraphs = [...html.matchAll(/<p>(.*?)<\/p>/gs)].map(([, inner]) => inner ?? "");
  return paragraphs.map((inner) => unescaped(inner.replace(/<a href="([^"]*)">[^<]*<\/a>/g, "$1")));
}

function unescaped(text: string): string {
  const entities: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };
  return text.replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => entities[entity] ?? entity);
}
