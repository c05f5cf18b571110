import { expect } from "vitest";
import {
  type Answer,
  answerChallenge,
  type Call,
  challenged,
  get,
  issuer,
  type Json,
  type Person,
  post,
  refreshed,
  type Session,
  sessionOf,
  signedIn,
  type TwoFactorPerson,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "./client.ts";
import {
  type AssertionJson,
  type AuthenticatorSettings,
  type CreationOptions,
  type Edits,
  type RegistrationJson,
  type RequestOptions,
  SoftwareAuthenticator,
} from "./software-authenticator.ts";

/** A passkey that is synced, verifies its user and counts nothing. */
export const syncedPasskey = (settings: Partial<AuthenticatorSettings> = {}): SoftwareAuthenticator =>
  new SoftwareAuthenticator({ origin: issuer, ...settings });

/** A passkey that never leaves its hardware and counts its answers. */
export const securityKey = (settings: Partial<AuthenticatorSettings> = {}): SoftwareAuthenticator =>
  syncedPasskey({ backupEligible: false, backedUp: false, signCount: "rising", transports: ["usb"], ...settings });

/** A person with an active passkey, and the session that enrolled it: `aal1` until its next refresh. */
export interface PasskeyPerson extends Person {
  passkey: SoftwareAuthenticator;
  passkeyId: string;
  session: Session;
}

/** `POST /auth/2fa/passkeys/options`. */
export const creationOptions = (access: string): Promise<Answer> =>
  post("/auth/2fa/passkeys/options", {}, { bearer: access });

/** The options of an answer, for the authenticator. */
export const creation = (answer: Answer): CreationOptions => {
  expect(answer.status, answer.text).toBe(200);
  return answer.body as unknown as CreationOptions;
};
export const request = (answer: Answer): RequestOptions => {
  expect(answer.status, answer.text).toBe(200);
  return answer.body as unknown as RequestOptions;
};

/** `POST /auth/2fa/passkeys`. */
export const register = (access: string, response: RegistrationJson | Json, more: Json = {}): Promise<Answer> =>
  post("/auth/2fa/passkeys", { response, ...more }, { bearer: access });

/** The whole enrolment; gives the answer to its last step. */
export async function addPasskey(
  access: string,
  passkey: SoftwareAuthenticator,
  more: Json = {},
  edits: Edits = {},
): Promise<Answer> {
  return register(access, await passkey.register(creation(await creationOptions(access)), edits), more);
}

/** Enrols a passkey in a session that may do so. */
export async function withPasskey<P extends Person>(
  person: P,
  session: Session,
  passkey = syncedPasskey(),
  edits: Edits = {},
): Promise<P & PasskeyPerson> {
  const answer = await addPasskey(session.access, passkey, {}, edits);
  expect(answer.status, answer.text).toBe(201);
  return { ...person, passkey, passkeyId: text(answer, "id"), session };
}

/** Somebody whose only factor is a passkey, besides the recovery codes that came with it. */
export async function passkeyPerson(passkey = syncedPasskey(), edits: Edits = {}): Promise<PasskeyPerson> {
  const person = await verifiedPerson();
  return withPasskey(person, await signedIn(person), passkey, edits);
}

/** Somebody with an authenticator app and a passkey; two codes of the app can still be used at once. */
export async function appAndPasskeyPerson(passkey = syncedPasskey()): Promise<TwoFactorPerson & PasskeyPerson> {
  const person = await twoFactorPerson();
  return withPasskey(person, await aal2(person), passkey);
}

/** The session that enrolled, once it has both proofs: what it may do afresh, it may for five minutes. */
export const aal2 = async (person: { session: Session }): Promise<Session> =>
  sessionOf(await refreshed(person.session.refresh));

/** `POST /auth/2fa/passkey/options`. */
export const secondFactorOptions = (challengeToken: string): Promise<Answer> =>
  post("/auth/2fa/passkey/options", { challenge_token: challengeToken });

/** The passkey's answer to an open challenge. */
export const assertionFor = async (
  challengeToken: string,
  passkey: SoftwareAuthenticator,
  edits: Edits = {},
): Promise<AssertionJson> => passkey.assert(request(await secondFactorOptions(challengeToken)), edits);

/** `POST /auth/2fa/verify` with an assertion. */
export const answerWithPasskey = (
  challengeToken: string,
  response: AssertionJson | Json,
  call?: Call,
): Promise<Answer> => post("/auth/2fa/verify", { challenge_token: challengeToken, method: "passkey", response }, call);

/** An open challenge and its options, answered. */
export const answerByPasskey = async (
  challengeToken: string,
  passkey: SoftwareAuthenticator,
  edits: Edits = {},
): Promise<Answer> => answerWithPasskey(challengeToken, await assertionFor(challengeToken, passkey, edits));

/** Both doors: password, then the passkey. */
export const signedInWithPasskey = async (person: PasskeyPerson, edits: Edits = {}): Promise<Session> =>
  sessionOf(await answerByPasskey(await challenged(person), person.passkey, edits));

/** `POST /auth/passkey/options`. */
export const usernamelessOptions = (call?: Call): Promise<Answer> => post("/auth/passkey/options", {}, call);

/** An assertion for a username-less challenge of its own. */
export const usernamelessAssertion = async (
  passkey: SoftwareAuthenticator,
  edits: Edits = {},
): Promise<AssertionJson> => passkey.assert(request(await usernamelessOptions()), edits);

/** `POST /auth/passkey/verify`. */
export const verifyPasskey = (response: AssertionJson | Json, more: Json = {}, call?: Call): Promise<Answer> =>
  post("/auth/passkey/verify", { response, ...more }, call);

/** Sign-in by passkey alone. */
export const signInByPasskey = async (passkey: SoftwareAuthenticator, edits: Edits = {}): Promise<Answer> =>
  verifyPasskey(await usernamelessAssertion(passkey, edits));

/** `GET /auth/2fa`: the factors listed. */
export async function factorsOf(access: string): Promise<Json[]> {
  const answer = await get("/auth/2fa", { bearer: access });
  expect(answer.status, answer.text).toBe(200);
  return answer.body.factors as Json[];
}

/** Spends attempts of a challenge on codes that are wrong; for a person with an authenticator app. */
export async function wrongCodes(person: TwoFactorPerson, challengeToken: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const answer = await answerChallenge(challengeToken, person.authenticator.wrong());
    expect(answer.body.code, answer.text).toBe("invalid_code");
  }
}

/** The newest credential of an authenticator. */
export function credentialOf(passkey: SoftwareAuthenticator): SoftwareAuthenticator["credentials"][number] {
  const credential = passkey.credentials.at(-1);
  if (credential === undefined) throw new Error("this authenticator holds no credential");
  return credential;
}

/** What refuses an assertion by its signature alone: one bit of it turned over. */
export const badSignature: Edits = {
  signature: (bytes) => bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte)),
};

/** So many at the same moment. */
export const atOnce = <T>(count: number, act: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => act(i)));
