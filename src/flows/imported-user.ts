import { emailKey } from "../directory/email-key.ts";
import { bytesOfBase32, isTotpSecret } from "../factors/totp.ts";
import type { ForeignHash } from "../passwords/foreign/foreign-hash.ts";
import { readForeignHash } from "../passwords/foreign/schemes.ts";
import { IMPORTED_ROLES_MAX, IMPORTED_TOTP_SECRET_BYTES, TOTP_ACTIVE_FACTORS } from "../policy.ts";

/** A line of an import that can become an account. Times in epoch milliseconds. */
export interface ImportedUser {
  email: string;
  emailKey: string;
  emailVerified: boolean;
  /** Closed by an operator, there as here. */
  isDisabled: boolean;
  /** The hash, or why there is none: then the account needs a reset. */
  password: ForeignHash | { resetNeeded: string };
  totpSecrets: Uint8Array[];
  roles: string[];
  createdAt: number;
}

/** Why a line cannot be imported, in words for the operator; nothing secret is in them. */
export interface RefusedLine {
  reason: string;
}

/** What the operator says of the whole file, and when. */
export interface ImportTerms {
  emailsVerified: boolean;
  now: number;
}

const MEMBERS = ["email", "password_hash", "email_verified", "totp_secrets", "roles", "disabled", "created_at"];
/** Whoever reads the mailbox could never get past an authenticator of somebody who does not. */
const FACTOR_OF_NOBODY =
  "totp_secrets need email_verified: true, since a factor of an address that nobody has proven locks its owner out";
/** Those who administer others are made by hand, one at a time. */
const NEVER_IMPORTED_ROLE = "admin";
const ROLE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;
/** RFC 3339 §5.6. */
const TIMESTAMP = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;

/** Reads one line of an import. */
export function readImportedUser(given: unknown, { emailsVerified, now }: ImportTerms): ImportedUser | RefusedLine {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return { reason: "is not a JSON object" };
  const line = given as Record<string, unknown>;
  const unknown = Object.keys(line).find((name) => !MEMBERS.includes(name));
  if (unknown !== undefined) return { reason: `has the unknown member ${JSON.stringify(unknown.slice(0, 64))}` };
  const { email } = line;
  // What the file says of an address is never overruled.
  const emailVerified = line.email_verified ?? emailsVerified;
  const key = typeof email === "string" ? emailKey(email) : undefined;
  if (typeof email !== "string" || key === undefined) return { reason: "email is not an address this service takes" };
  if (typeof emailVerified !== "boolean") return { reason: "email_verified is neither true nor false" };
  const password = readPassword(line.password_hash);
  if (isRefusedLine(password)) return password;
  const totpSecrets = readTotpSecrets(line.totp_secrets ?? []);
  if (isRefusedLine(totpSecrets)) return totpSecrets;
  if (totpSecrets.length > 0 && !emailVerified) return { reason: FACTOR_OF_NOBODY };
  const { disabled: isDisabled = false } = line;
  if (typeof isDisabled !== "boolean") return { reason: "disabled is neither true nor false" };
  const roles = readRoles(line.roles ?? []);
  if (isRefusedLine(roles)) return roles;
  const createdAt = readCreatedAt(line.created_at, now);
  if (isRefusedLine(createdAt)) return createdAt;
  return { email, emailKey: key, emailVerified, isDisabled, password, totpSecrets, roles, createdAt };
}

/** Tells a refused line from what was read. */
export function isRefusedLine(read: object | number): read is RefusedLine {
  return typeof read === "object" && "reason" in read;
}

function readPassword(given: unknown): ImportedUser["password"] | RefusedLine {
  if (given === undefined || given === null) return { resetNeeded: "no password hash" };
  const hash = readForeignHash(given);
  if ("malformed" in hash) return { reason: `password_hash ${hash.malformed}` };
  return "tooCostly" in hash ? { resetNeeded: hash.tooCostly } : hash;
}

function readTotpSecrets(given: unknown): Uint8Array[] | RefusedLine {
  if (!Array.isArray(given) || given.length > TOTP_ACTIVE_FACTORS) {
    return { reason: `totp_secrets is not a list of at most ${TOTP_ACTIVE_FACTORS}` };
  }
  const secrets = given.map((text) => (typeof text === "string" ? bytesOfBase32(text) : undefined));
  const good = secrets.filter((secret) => secret !== undefined).filter(isTotpSecret);
  // One secret as two factors would make each of its codes good twice.
  if (good.length === given.length)
    return good.filter((secret, at) => good.findIndex((one) => isSame(one, secret)) === at);
  const { min, max } = IMPORTED_TOTP_SECRET_BYTES;
  return { reason: `totp_secrets holds what is not base32 of ${min} to ${max} bytes` };
}

function readRoles(given: unknown): string[] | RefusedLine {
  if (!Array.isArray(given) || given.length > IMPORTED_ROLES_MAX) {
    return { reason: `roles is not a list of at most ${IMPORTED_ROLES_MAX}` };
  }
  const roles = given.filter((role): role is string => typeof role === "string" && ROLE.test(role));
  if (roles.length < given.length) return { reason: "roles holds what is no role" };
  const isAdmin = roles.some((role) => role.toLowerCase() === NEVER_IMPORTED_ROLE);
  return isAdmin ? { reason: `roles holds "${NEVER_IMPORTED_ROLE}", which no import gives` } : [...new Set(roles)];
}

function readCreatedAt(given: unknown, now: number): number | RefusedLine {
  if (given === undefined || given === null) return now;
  const at = typeof given === "string" && TIMESTAMP.test(given) ? Date.parse(given.replace(" ", "T")) : Number.NaN;
  return at <= now ? at : { reason: "created_at is not a moment of the past such as 2024-05-31T12:00:00Z" };
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
