import { emailKey } from "./directory/email-key.ts";
import { ALERT_MAIL_ADDRESSES_MAX, EVENT_RETENTION_DAYS } from "./event-policy.ts";
import { DAY_MS } from "./policy.ts";
import type { Settings } from "./settings.ts";

/** What an alert may do by itself. */
export const REACTIONS = ["throttle_source", "ask_proof"] as const;
export type Reaction = (typeof REACTIONS)[number];

/** Where a webhook goes and what signs it. */
export interface Webhook {
  url: string;
  /** Key of the HMAC (Standard Webhooks §"Signature scheme"): 24 random bytes or more. */
  secret: Uint8Array<ArrayBuffer>;
}

/** Where alerts go, and what they may do. */
export interface Alerting {
  webhook?: Webhook;
  /** Addresses of operators. */
  mail: string[];
  reactions: ReadonlySet<Reaction>;
}

/** As Standard Webhooks demands: 24 to 64 bytes. */
const SECRET_BYTES = { min: 24, max: 64 };
/** 24 random bytes have about 23 different values; fewer than 14 does not happen by chance. */
const MIN_DISTINCT_BYTES = 14;
/** Published as examples, by Standard Webhooks and in the manuals of those that speak it. */
const PUBLISHED = ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];
const DRAW_ONE =
  "it needs 24 to 64 random bytes as base64 (openssl rand -base64 32), with or without whsec_ before them";

/** Reads `ALERT_WEBHOOK_URL`, `ALERT_WEBHOOK_SECRET`, `ALERT_MAIL` and `REACTIONS`: all of it off where nothing is said. */
export function readAlerting(settings: Settings, isLocal: boolean): Alerting {
  const webhook = readWebhook(settings, isLocal);
  return { ...(webhook ? { webhook } : {}), mail: readMail(settings), reactions: readReactions(settings) };
}

/** Reads `EVENT_RETENTION_DAYS`: how long security events are kept, milliseconds. */
export function readEventRetention(settings: Settings): number {
  const { default: usual, min, max } = EVENT_RETENTION_DAYS;
  return settings.number("EVENT_RETENTION_DAYS", usual, min, max) * DAY_MS;
}

function readWebhook(settings: Settings, isLocal: boolean): Webhook | undefined {
  const url = settings.text("ALERT_WEBHOOK_URL", "");
  const text = settings.text("ALERT_WEBHOOK_SECRET", "");
  if (url === "" && text === "") return undefined;
  if (url === "") {
    settings.problem("ALERT_WEBHOOK_URL", "is missing, and ALERT_WEBHOOK_SECRET signs nothing without it");
    return undefined;
  }
  if (!isWebhookUrl(url, isLocal)) {
    settings.problem(
      "ALERT_WEBHOOK_URL",
      "must be an https address such as https://alerts.example.com/hook, without a user name, a password or a fragment",
    );
  }
  const secret = secretOf(text);
  if (typeof secret !== "string") return { url, secret };
  settings.problem("ALERT_WEBHOOK_SECRET", `${secret}; ${DRAW_ONE}`);
  return undefined;
}

function isWebhookUrl(value: string, isLocal: boolean): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== "https:" && !(url?.protocol === "http:" && isLocal)) return false;
  return url.username === "" && url.password === "" && !value.includes("#");
}

/** The bytes of a secret, or what is wrong with it, without repeating it. */
function secretOf(text: string): Uint8Array<ArrayBuffer> | string {
  if (text === "") return "is missing: nobody could tell a webhook of ours from a stranger's";
  const digits = text
    .replace(/^whsec_/, "")
    .replaceAll("-", "+")
    .replaceAll("_", "/")
    .replace(/=+$/, "");
  if (!/^[A-Za-z0-9+/]+$/.test(digits) || digits.length % 4 === 1) return "is not base64";
  const bytes = Uint8Array.from(atob(digits), (character) => character.charCodeAt(0));
  if (bytes.length < SECRET_BYTES.min) return `has ${bytes.length} bytes and is too short`;
  if (bytes.length > SECRET_BYTES.max) return `has ${bytes.length} bytes and is too long`;
  if (PUBLISHED.includes(digits)) return "is a published example and well known";
  if (new Set(bytes).size < MIN_DISTINCT_BYTES) return "repeats itself and is guessable";
  const isText = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  return isText ? "is text, and text is guessable" : bytes;
}

function readMail(settings: Settings): string[] {
  const addresses = [...new Set(settings.list("ALERT_MAIL"))];
  addresses.forEach((address, index) => {
    if (emailKey(address) !== undefined) return;
    // Not the text itself: a line of the log holds nobody's address.
    settings.problem("ALERT_MAIL", `must list addresses separated by commas; entry ${index + 1} is not one`);
  });
  if (addresses.length > ALERT_MAIL_ADDRESSES_MAX) {
    settings.problem("ALERT_MAIL", `must have at most ${ALERT_MAIL_ADDRESSES_MAX} addresses; use a mailing list`);
  }
  return addresses;
}

function readReactions(settings: Settings): ReadonlySet<Reaction> {
  const names = settings.list("REACTIONS");
  const reactions = REACTIONS.filter((reaction) => names.includes(reaction));
  const isNone = names.length === 1 && names[0] === "none";
  if (!isNone && names.some((name) => !REACTIONS.some((reaction) => reaction === name))) {
    settings.problem("REACTIONS", `must be none, or a list out of ${REACTIONS.join(", ")}, separated by commas`);
  }
  return new Set(reactions);
}
