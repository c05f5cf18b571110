import {
  type Answer,
  type Call,
  call,
  type GuardedPerson,
  ISSUER,
  logIn,
  newGuardedPerson,
  newPerson,
  type Person,
  refresh,
} from "../../support/in-worker.ts";
import {
  type AssertionJson,
  type AuthenticatorSettings,
  type CreationOptions,
  type Edits,
  type RequestOptions,
  SoftwareAuthenticator,
} from "../../support/software-authenticator.ts";

/** A passkey that is synced, verifies its user and counts nothing. */
export function syncedPasskey(settings: Partial<AuthenticatorSettings> = {}): SoftwareAuthenticator {
  return new SoftwareAuthenticator({ origin: ISSUER, ...settings });
}

/** A passkey that never leaves its hardware and counts its answers. */
export function securityKey(settings: Partial<AuthenticatorSettings> = {}): SoftwareAuthenticator {
  return syncedPasskey({ backupEligible: false, backedUp: false, signCount: "rising", ...settings });
}

/** Has a passkey answer without verifying its user. */
export const UNVERIFIED = { edits: { flags: { uv: false } } };

/** A person who has a passkey and nothing else but recovery codes. */
export interface PasskeyPerson extends Person {
  key: SoftwareAuthenticator;
  recoveryCodes: string[];
  /** The session that registered the passkey. */
  session: Record<string, unknown>;
}

/** A person who has registered this passkey, through the API. */
export async function newPasskeyPerson(key = syncedPasskey(), options: Call = {}): Promise<PasskeyPerson> {
  const person = await newPerson();
  const { body: session } = await logIn(person, options);
  const { body } = await addPasskey(session.access_token, key);
  return { ...person, key, recoveryCodes: body.recovery_codes as string[], session };
}

/** A person with an authenticator, a passkey and recovery codes. */
export interface ArmedPerson extends GuardedPerson {
  key: SoftwareAuthenticator;
  /** Of the session that enrolled both. */
  refreshToken: unknown;
}

/** A person who has added this passkey to an authenticator, through the API. */
export async function newArmedPerson(key = syncedPasskey()): Promise<ArmedPerson> {
  const person = await newGuardedPerson();
  const { body } = await refresh(person.session.refresh_token);
  await addPasskey(body.access_token, key);
  return { ...person, key, refreshToken: body.refresh_token };
}

/** Registers a passkey. */
export async function addPasskey(bearer: unknown, key: SoftwareAuthenticator, options: Call = {}): Promise<Answer> {
  const response = await key.register(await creationOptions(bearer, options));
  const added = await call("/auth/2fa/passkeys", { response }, { ...options, bearer });
  if (added.status !== 201) throw new Error(`not added: ${added.text}`);
  return added;
}

/** What a passkey is to be made of. */
export async function creationOptions(bearer: unknown, options: Call = {}): Promise<CreationOptions> {
  const { status, body, text } = await call("/auth/2fa/passkeys/options", {}, { ...options, bearer });
  if (status !== 200) throw new Error(`no options: ${text}`);
  return body as unknown as CreationOptions;
}

/** What a passkey must sign to answer this challenge. */
export async function assertionOptions(challengeToken: unknown, options: Call = {}): Promise<RequestOptions> {
  const asked = await call("/auth/2fa/passkey/options", { challenge_token: challengeToken }, options);
  if (asked.status !== 200) throw new Error(`no options: ${asked.text}`);
  return asked.body as unknown as RequestOptions;
}

/** Answers a challenge with an assertion that was made already. */
export function sendAssertion(challengeToken: unknown, response: AssertionJson, options: Call = {}): Promise<Answer> {
  return call("/auth/2fa/verify", { challenge_token: challengeToken, method: "passkey", response }, options);
}

/** Answers a challenge with a passkey. */
export async function answerByPasskey(
  challengeToken: unknown,
  key: SoftwareAuthenticator,
  { edits, ...options }: Call & { edits?: Edits } = {},
): Promise<Answer> {
  const response = await key.assert(await assertionOptions(challengeToken, options), edits);
  return sendAssertion(challengeToken, response, options);
}

/** What any passkey may sign to sign in. */
export async function signInOptions(options: Call = {}): Promise<RequestOptions> {
  return (await call("/auth/passkey/options", {}, options)).body as unknown as RequestOptions;
}

/** Signs in by passkey alone. */
export async function signInByPasskey(
  key: SoftwareAuthenticator,
  { edits, ...options }: Call & { edits?: Edits } = {},
): Promise<Answer> {
  const response = await key.assert(await signInOptions(options), edits);
  return call("/auth/passkey/verify", { response }, options);
}
