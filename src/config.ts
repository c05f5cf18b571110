import { type Alerting, readAlerting, readEventRetention } from "./alerting.ts";
import { type Client, readAudiences, readClients } from "./audiences.ts";
import { type BotCheckSettings, readBotCheck } from "./bot-check.ts";
import {
  DAY_MS,
  HOUR_MS,
  PASSWORD_MAX,
  PASSWORD_MIN,
  PASSWORD_MIN_WITH_FACTOR,
  RECOVERY_DELAY_HOURS,
  REMEMBERED_LIFETIMES,
  SESSION_LIFETIMES,
  TRUSTED_BROWSER_DAYS,
} from "./policy.ts";
import { Settings } from "./settings.ts";
import { ACCESS_TOKEN_TTL_SECONDS, KEY_ROTATION_DAYS } from "./token-policy.ts";
import type { Audience } from "./tokens/audience.ts";

/** How mail leaves this deployment. */
export type MailSettings =
  | { transport: "mailbox" }
  | { transport: "binding"; from: string }
  | { transport: "http"; from: string; url: string; token: string };

/** How long sessions live, milliseconds. */
export interface SessionSettings {
  idleMs: number;
  absoluteMs: number;
  factorMaxAgeMs: number;
}

/** For whom passkeys are made (WebAuthn L3 §5.4.2): a change of `id` makes all of them useless. */
export interface RelyingParty {
  id: string;
  name: string;
  /** Origins whose pages may use the passkeys. */
  origins: string[];
}

/** Everything an operator can set, read once and complete. */
export interface Config {
  /** Origin of this service, without a trailing slash. */
  issuer: string;
  isLocal: boolean;
  appName: string;
  profile: "standard" | "nist";
  /** `passkey`: required, and nothing else counts as one. */
  secondFactor: "optional" | "required" | "passkey";
  /** How long a browser may be trusted with the password alone; 0: never. */
  trustedBrowserDays: number;
  relyingParty: RelyingParty;
  /** What `/.well-known/webauthn` lists (WebAuthn L3 §5.11): empty unless an origin lies outside the relying party's domain. */
  relatedOrigins: string[];
  passwordMin: number;
  /** Where new passwords are looked up among those of known breaches, ending in a slash; nowhere if not set. */
  breachCheckUrl: string | undefined;
  /** How it is checked that no program signs in; not at all if not set. */
  botCheck: BotCheckSettings | undefined;
  /** `invite`: only who has been invited by an operator gets an account. */
  registration: "open" | "closed" | "invite";
  /** How long somebody without any factor waits for a way back in; 0: there is none. */
  recoveryDelayMs: number;
  /** Whether a factor reset by one operator needs another one's approval. */
  twoPersonReset: boolean;
  /** What counts as the second factor of somebody who administers others. */
  adminFactor: "any" | "passkey";
  allowedOrigins: ReadonlySet<string>;
  accessTokenTtlSeconds: number;
  /** How long a key serves before its successor does. */
  keyRotationMs: number;
  sessions: SessionSettings;
  /** Lifetimes when the user asked to be remembered; the same as others where the profile has no such thing. */
  rememberedSessions: SessionSettings;
  /** Services that an access token may be for, by name; the issuer is not among them. */
  audiences: ReadonlyMap<string, Audience>;
  /** Back ends that may use the OAuth endpoints, by id. */
  clients: ReadonlyMap<string, Client>;
  mail: MailSettings;
  alerting: Alerting;
  /** How long security events are kept, milliseconds. */
  eventRetentionMs: number;
  jurisdiction: "eu" | "us" | undefined;
}

/**
 * Reads the settings. Whatever is missing or out of bounds stops the service: the answer is then a list of sentences,
 * one a problem, each naming the setting and what it accepts.
 */
export function parseConfig(env: object): Config | { problems: string[] } {
  const settings = new Settings(env);
  const config = readConfig(settings);
  return settings.problems.length > 0 ? { problems: settings.problems } : config;
}

function readConfig(settings: Settings): Config {
  const issuer = readIssuer(settings);
  const isLocal = new URL(issuer).hostname === "localhost";
  const profile = settings.oneOf("PROFILE", ["standard", "nist"], "standard");
  const sessions = readSessions(settings, profile);
  const secondFactor = settings.oneOf("SECOND_FACTOR", ["optional", "required", "passkey"], "optional");
  const appName = settings.text("APP_NAME", "Sallyport");
  const relyingParty = readRelyingParty(settings, issuer, appName);
  const audiences = readAudiences(settings, issuer);
  const allowedOrigins = new Set([issuer, ...readOrigins(settings, "ALLOWED_ORIGINS")]);
  return {
    issuer,
    isLocal,
    appName,
    profile,
    secondFactor,
    trustedBrowserDays: readTrustedBrowserDays(settings),
    relyingParty,
    relatedOrigins: relatedOriginsOf(relyingParty),
    passwordMin: readPasswordMin(settings, profile, secondFactor),
    breachCheckUrl: readBreachCheckUrl(settings, isLocal),
    botCheck: readBotCheck(settings, isLocal, allowedOrigins),
    registration: settings.oneOf("REGISTRATION", ["open", "closed", "invite"], "open"),
    recoveryDelayMs: readRecoveryDelay(settings, secondFactor),
    adminFactor: settings.oneOf("ADMIN_FACTOR", ["any", "passkey"], "any"),
    twoPersonReset: settings.oneOf("TWO_PERSON_RESET", ["on", "off"], "off") === "on",
    allowedOrigins,
    accessTokenTtlSeconds: readAccessTokenTtl(settings),
    keyRotationMs: readKeyRotation(settings),
    sessions,
    rememberedSessions: profile === "standard" ? remembered(sessions) : sessions,
    audiences,
    clients: readClients(settings, audiences),
    mail: readMail(settings, isLocal),
    alerting: readAlerting(settings, isLocal),
    eventRetentionMs: readEventRetention(settings),
    jurisdiction: settings.optionalOneOf("JURISDICTION", ["eu", "us"]),
  };
}

const PLACEHOLDER_ISSUER = "https://issuer.invalid";

function readIssuer(settings: Settings): string {
  const value = settings.text("ISSUER", "");
  if (isSecureOrigin(value)) return value;
  settings.problem("ISSUER", "must be the origin of this service, such as https://auth.example.com, without a path");
  return PLACEHOLDER_ISSUER;
}

function readOrigins(settings: Settings, name: string): string[] {
  const origins = settings.list(name);
  for (const value of origins.filter((origin) => !isSecureOrigin(origin) || origin.includes("*"))) {
    settings.problem(name, `must list exact origins separated by commas; "${value}" is not one`);
  }
  return origins;
}

/** An origin and nothing beside it, over HTTPS or on localhost. */
function isSecureOrigin(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const secure = url?.protocol === "https:" || (url?.protocol === "http:" && url.hostname === "localhost");
  return secure && url?.origin === value;
}

function readRelyingParty(settings: Settings, issuer: string, name: string): RelyingParty {
  const host = new URL(issuer).hostname;
  const id = settings.text("RP_ID", host);
  if (!isRelyingPartyOf(id, host)) {
    settings.problem(
      "RP_ID",
      "must be the issuer's host name or a domain above it, such as example.com; never an IP address",
    );
  }
  const origins = readOrigins(settings, "PASSKEY_ORIGINS");
  return { id, name, origins: origins.length > 0 ? [...new Set(origins)] : [issuer] };
}

/**
 * Whether passkeys of pages on `host` may be bound to `id` (WebAuthn L3 §5.1.3). One label alone is a public suffix,
 * unless it is the host itself or localhost; longer suffixes are known to browsers, which refuse them.
 */
function isRelyingPartyOf(id: string, host: string): boolean {
  const labels = id.split(".");
  const isName = labels.every((label) => /^[a-z0-9_-]+$/.test(label)) && !/^\d+$/.test(labels.at(-1) ?? "");
  return isName && isWithin(host, id) && (labels.length > 1 || id === host || id === "localhost");
}

function relatedOriginsOf({ id, origins }: RelyingParty): string[] {
  return origins.every((origin) => URL.canParse(origin) && isWithin(new URL(origin).hostname, id)) ? [] : origins;
}

function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

function readPasswordMin(settings: Settings, profile: Config["profile"], secondFactor: Config["secondFactor"]): number {
  const floor = secondFactor === "optional" ? PASSWORD_MIN[profile] : PASSWORD_MIN_WITH_FACTOR;
  return settings.number("PASSWORD_MIN", floor, floor, PASSWORD_MAX / 2);
}

/** Without a query or a fragment: five digits are put behind it. */
function readBreachCheckUrl(settings: Settings, isLocal: boolean): string | undefined {
  const value = settings.text("BREACH_CHECK_URL", "");
  if (value === "") return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const secure = url?.protocol === "https:" || (url?.protocol === "http:" && isLocal);
  if (secure && !/[?#@]/.test(value)) return value.endsWith("/") ? value : `${value}/`;
  settings.problem("BREACH_CHECK_URL", "must be an https address such as https://api.pwnedpasswords.com/range/");
  return undefined;
}

/** Where a second factor is required, a way around it is something an operator has to ask for. */
function readRecoveryDelay(settings: Settings, secondFactor: Config["secondFactor"]): number {
  const { default: usual, min, max } = RECOVERY_DELAY_HOURS;
  return settings.numberOrOff("RECOVERY_DELAY_HOURS", secondFactor === "optional" ? usual : 0, min, max) * HOUR_MS;
}

function readTrustedBrowserDays(settings: Settings): number {
  const { default: usual, min, max } = TRUSTED_BROWSER_DAYS;
  return settings.number("TRUSTED_BROWSER_DAYS", usual, min, max);
}

function readAccessTokenTtl(settings: Settings): number {
  const { default: usual, min, max } = ACCESS_TOKEN_TTL_SECONDS;
  return settings.number("ACCESS_TOKEN_TTL", usual, min, max);
}

function readKeyRotation(settings: Settings): number {
  const { default: usual, min, max } = KEY_ROTATION_DAYS;
  return settings.number("KEY_ROTATION_DAYS", usual, min, max) * DAY_MS;
}

/** Single overrides, in seconds, may make a session shorter than its profile says, never longer. */
function readSessions(settings: Settings, profile: Config["profile"]): SessionSettings {
  const { idleMs, absoluteMs, factorMaxAgeMs } = SESSION_LIFETIMES[profile];
  const seconds = (name: string, ms: number) =>
    settings.number(name, ms / 1000, SHORTEST_SESSION_SECONDS, ms / 1000) * 1000;
  return {
    idleMs: seconds("SESSION_IDLE", idleMs),
    absoluteMs: seconds("SESSION_ABSOLUTE", absoluteMs),
    factorMaxAgeMs: seconds("FACTOR_MAX_AGE", factorMaxAgeMs),
  };
}

/** A lifetime that the operator shortened stays short for those who want to be remembered. */
function remembered(sessions: SessionSettings): SessionSettings {
  const usual = SESSION_LIFETIMES.standard;
  const { idleMs, absoluteMs } = REMEMBERED_LIFETIMES;
  return {
    ...sessions,
    idleMs: sessions.idleMs < usual.idleMs ? sessions.idleMs : idleMs,
    absoluteMs: sessions.absoluteMs < usual.absoluteMs ? sessions.absoluteMs : absoluteMs,
  };
}

/** Below this nobody could finish anything. */
const SHORTEST_SESSION_SECONDS = 60;

function readMail(settings: Settings, isLocal: boolean): MailSettings {
  const transport = settings.oneOf("MAIL_TRANSPORT", ["", "mailbox", "binding", "http"], isLocal ? "mailbox" : "");
  if (transport === "mailbox") {
    if (!isLocal) settings.problem("MAIL_TRANSPORT", '"mailbox" is for a localhost issuer; use "binding" or "http"');
    return { transport };
  }
  const from = settings.required("MAIL_FROM");
  if (from !== "" && !from.includes("@")) settings.problem("MAIL_FROM", "must hold an email address");
  if (transport === "http") {
    const url = settings.required("MAIL_URL");
    if (!URL.canParse(url) || (new URL(url).protocol !== "https:" && !isLocal)) {
      settings.problem("MAIL_URL", "must be an https address");
    }
    return { transport, from, url, token: settings.required("MAIL_TOKEN") };
  }
  if (transport === "") settings.problem("MAIL_TRANSPORT", 'must be "binding" or "http"');
  return { transport: "binding", from };
}
