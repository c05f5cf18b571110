import { FACTOR_LABEL_MAX, PROOF_LINK_TTL_MS, USER_AGENT_MAX } from "../policy.ts";
import type { Message } from "./message.ts";

/** Asks a new address for its confirmation. The link says nothing but where it leads and opens nothing by itself. */
export function confirmRegistration(appName: string, to: string, link: string): Message {
  return compose(appName, to, `Confirm your address for ${appName}`, [
    `Somebody, hopefully you, asked for an account at ${appName} with this address.`,
    "To finish, open this link within 24 hours and type the password you chose:",
    { link },
    "If it was not you, do nothing: without the password the link activates nothing.",
  ]);
}

/** What the owner of an account gets when somebody registers with its address again. */
export function alreadyRegistered(appName: string, to: string): Message {
  return compose(appName, to, `You already have an account at ${appName}`, [
    `Somebody, hopefully you, asked for an account at ${appName} with this address, but there is one already.`,
    "Nothing has changed. If it was you, sign in with the password you have.",
    "If it was not you, there is nothing to do.",
  ]);
}

/** Lets whoever reads this mailbox sign in where a stranger's tries have closed the way. It opens nothing without the password. */
export function proveMailbox(appName: string, to: string, link: string): Message {
  return compose(appName, to, `Sign in to ${appName}`, [
    `Somebody, hopefully you, wants to sign in to ${appName} and was asked to show that this mailbox is theirs.`,
    `To go on, open this link within ${PROOF_LINK_TTL_MS / 60_000} minutes in the browser you want to sign in with, and type your password there:`,
    { link },
    "If it was not you, do nothing: without the password the link opens nothing.",
  ]);
}

/** Something that happened to an account and that its owner has to hear of. `until` in epoch milliseconds. */
export type Notice =
  | { notice: "factor_added" | "factor_removed"; kind: "totp" | "passkey"; label: string }
  | { notice: "second_factor_turned_off" }
  | { notice: "recovery_code_used"; remaining: number }
  | { notice: "recovery_codes_replaced" }
  | { notice: "browser_trusted"; until: number };

/** When it happened, epoch milliseconds, and what the client called itself. */
export interface Occasion {
  at: number;
  userAgent: string;
}

/** Tells the owner of an account what has happened to it, when, and what to do if it was somebody else. */
export function noticeToOwner(appName: string, to: string, notice: Notice, { at, userAgent }: Occasion): Message {
  const [subject, ...sentences] = wordsOf(notice, appName);
  return compose(appName, to, subject, [
    ...sentences,
    `This happened at ${utc(at)}, from a program that calls itself ${quoted(userAgent, USER_AGENT_MAX)}.`,
    `If it was not you, somebody else can use your account: sign in, end all other sessions and undo what you did not do. If you cannot sign in any more, ask for help at ${appName}.`,
  ]);
}

const FACTOR_NAMES = { totp: "authenticator app", passkey: "passkey" } as const;

/** The subject, and the sentences below it. */
function wordsOf(notice: Notice, appName: string): [string, ...string[]] {
  const account = `your account at ${appName}`;
  switch (notice.notice) {
    case "factor_added":
    case "factor_removed": {
      const change = notice.notice === "factor_added" ? `was added to ${account}` : `was removed from ${account}`;
      const label = quoted(notice.label, FACTOR_LABEL_MAX);
      return [`A second factor ${change}`, `The ${FACTOR_NAMES[notice.kind]} ${label} ${change}.`];
    }
    case "second_factor_turned_off":
      return [
        `The second factor of ${account} was turned off`,
        `All authenticator apps, passkeys and recovery codes were removed from ${account}. The password alone now opens it.`,
      ];
    case "recovery_code_used":
      return [
        `A recovery code of ${account} was used`,
        `A recovery code of ${account} was used and will not work again. Codes left: ${notice.remaining}.`,
        "When you are signed in with an authenticator app or a passkey, make a new set of codes.",
      ];
    case "recovery_codes_replaced":
      return [
        `The recovery codes of ${account} were replaced`,
        `A new set of recovery codes was made for ${account}. The codes from before no longer work.`,
      ];
    case "browser_trusted":
      return [
        `A browser is now trusted by ${account}`,
        `Until ${utc(notice.until)} a browser may sign in to ${account} with the password alone.`,
        "The list of your browsers is where you can take this back.",
      ];
  }
}

/** Minutes are enough for a person, and UTC is the same wherever the mail is read. */
function utc(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** Text that a stranger may have chosen: on one line, in its own direction, inside its quotes, and not long. */
function quoted(text: string, max: number): string {
  const line = text.replace(/[\p{Cc}\p{Cs}\p{Z}\p{Bidi_Control}]+/gu, " ").replace(/[“”]/g, '"');
  const characters = Array.from(line.trim());
  return `“${characters.slice(0, max).join("")}${characters.length > max ? "…" : ""}”`;
}

type Paragraph = string | { link: string };

function compose(appName: string, to: string, subject: string, paragraphs: Paragraph[]): Message {
  const text = paragraphs.map((part) => (typeof part === "string" ? part : part.link));
  const html = paragraphs.map((part) =>
    typeof part === "string" ? `<p>${escapeHtml(part)}</p>` : `<p><a href="${escapeHtml(part.link)}">Continue</a></p>`,
  );
  return {
    to,
    subject: subject.replace(/[\r\n]+/g, " "),
    text: `${[...text, appName].join("\n\n")}\n`,
    html: `<!doctype html><html lang="en"><body>${html.join("")}<p>${escapeHtml(appName)}</p></body></html>`,
  };
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
