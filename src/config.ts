import {
  ACCESS_TOKEN_TTL_SECONDS,
  PASSWORD_MAX,
  PASSWORD_MIN,
  PASSWORD_MIN_WITH_FACTOR,
  REMEMBERED_LIFETIMES,
  SESSION_LIFETIMES,
  TRUSTED_BROWSER_DAYS,
} from "./policy.ts";

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
  registration: "open" | "closed";
  allowedOrigins: ReadonlySet<string>;
  accessTokenTtlSeconds: number;
  sessions: SessionSettings;
  /** Lifetimes when the user asked to be remembered; the same as others where the profile has no such thing. */
  rememberedSessions: SessionSettings;
  mail: MailSettings;
  jurisdiction: "eu" | "us" | undefined;
}

/**
 * Reads the settings. Whatever is missing or out of bounds stops the service: the answer is then a list of sentences,
 * one a problem, each naming the setting and what it accepts.
 */
export function parseConfig(env: object): Config | { problems: string[] } {
  const settings = new Settings(env);
  for (const name of NOT_YET) {
    if (settings.text(name, "") !== "") settings.problem(name, "is not supported by this version; leave it out");
  }
  const config = readConfig(settings);
  return settings.problems.length > 0 ? { problems: settings.problems } : config;
}

/** Settings of the contract that nothing here obeys yet. Ignored, each would promise more than it does. */
const NOT_YET = ["AUDIENCES", "CLIENTS", "TWO_PERSON_RESET", "ADMIN_FACTOR", "BREACH_CHECK_URL"];

function readConfig(settings: Settings): Config {
  const issuer = readIssuer(settings);
  const isLocal = new URL(issuer).hostname === "localhost";
  const profile = settings.oneOf("PROFILE", ["standard", "nist"], "standard");
  const sessions = readSessions(settings, profile);
  const secondFactor = settings.oneOf("SECOND_FACTOR", ["optional", "required", "passkey"], "optional");
  const appName = settings.text("APP_NAME", "Sallyport");
  const relyingParty = readRelyingParty(settings, issuer, appName);
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
    registration: settings.oneOf("REGISTRATION", ["open", "closed"], "open"),
    allowedOrigins: new Set([issuer, ...readOrigins(settings, "ALLOWED_ORIGINS")]),
    accessTokenTtlSeconds: readAccessTokenTtl(settings),
    sessions,
    rememberedSessions: profile === "standard" ? remembered(sessions) : sessions,
    mail: readMail(settings, isLocal),
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

function readTrustedBrowserDays(settings: Settings): number {
  const { default: usual, min, max } = TRUSTED_BROWSER_DAYS;
  return settings.number("TRUSTED_BROWSER_DAYS", usual, min, max);
}

function readAccessTokenTtl(settings: Settings): number {
  const { default: usual, min, max } = ACCESS_TOKEN_TTL_SECONDS;
  return settings.number("ACCESS_TOKEN_TTL", usual, min, max);
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

/** Longer than any list of origins, shorter than what a log or a mail header would choke on. */
const TEXT_MAX = 2_000;

/** Reads single settings and gathers what is wrong with them, so that an operator sees all of it at once. */
class Settings {
  readonly problems: string[] = [];
  #values: Record<string, unknown>;

  constructor(env: object) {
    this.#values = env as Record<string, unknown>;
  }

  problem(name: string, sentence: string): void {
    this.problems.push(`${name} ${sentence}`);
  }

  text(name: string, fallback: string): string {
    const value = this.#values[name];
    if (value === undefined || value === "") return fallback;
    if (typeof value !== "string") this.problem(name, "must be text");
    else if (value.length <= TEXT_MAX && !/\p{Cc}/u.test(value)) return value;
    else this.problem(name, `must have at most ${TEXT_MAX} characters and no control characters`);
    return fallback;
  }

  required(name: string): string {
    const value = this.text(name, "");
    if (value === "") this.problem(name, "is required with this mail transport");
    return value;
  }

  list(name: string): string[] {
    return this.text(name, "")
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.text(name, fallback);
    const match = allowed.find((candidate) => candidate === value);
    if (match !== undefined) return match;
    this.problem(name, `must be one of ${allowed.filter((candidate) => candidate !== "").join(", ")}`);
    return fallback;
  }

  optionalOneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    return this.text(name, "") === "" ? undefined : this.oneOf(name, allowed, allowed[0] as T);
  }

  number(name: string, fallback: number, min: number, max: number): number {
    const value = this.text(name, String(fallback));
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    this.problem(name, `must be a whole number from ${min} to ${max}`);
    return fallback;
  }
}
