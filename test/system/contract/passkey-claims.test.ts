import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  me,
  post,
  refreshed,
  type Session,
  sessionOf,
  text,
} from "../../support/client.ts";
import {
  aal2,
  answerByPasskey,
  appAndPasskeyPerson,
  type PasskeyPerson,
  passkeyPerson,
  securityKey,
  signedInWithPasskey,
  signInByPasskey,
  syncedPasskey,
} from "../../support/passkey-client.ts";

interface Proof {
  acr: unknown;
  amr: string[];
  factors: Record<string, number>;
  auth_time: number;
}
const proofOf = (access: string) => decodeJwt(access) as unknown as Proof;

/** What a token says happened, and that its times are those of the proofs, the newest one in `auth_time`. */
function said(access: string): string {
  const { acr, amr, factors, auth_time } = proofOf(access);
  for (const at of Object.values(factors)) expect(Math.abs(at - Date.now() / 1000)).toBeLessThan(30);
  expect(auth_time).toBe(Math.max(...Object.values(factors)));
  return `${acr} [${amr.join(" ")}] {${Object.keys(factors).sort().join(" ")}}`;
}

const stepUp = async (session: Session) =>
  text(await post("/auth/step-up", {}, { bearer: session.access }), "challenge_token");
const unverified = { flags: { uv: false } };

describe("the token says what happened:", () => {
  let synced: PasskeyPerson;
  let hardware: PasskeyPerson;
  let both: Awaited<ReturnType<typeof appAndPasskeyPerson>>;
  beforeAll(async () => {
    [synced, hardware, both] = await Promise.all([
      passkeyPerson(syncedPasskey()),
      passkeyPerson(securityKey()),
      appAndPasskeyPerson(syncedPasskey()),
    ]);
  });

  it("password, then a synced passkey", async () => {
    expect(said((await signedInWithPasskey(synced)).access)).toBe("aal2 [pwd swk user pop mfa] {pwd swk}");
  });

  it("password, then a hardware key", async () => {
    expect(said((await signedInWithPasskey(hardware)).access)).toBe("aal2 [pwd hwk user pop mfa] {hwk pwd}");
  });

  // RFC 8176: `user` is the test of presence, which an assertion without verification passes too.
  it("password, then a passkey that verifies its user and this time did not", async () => {
    expect(said((await signedInWithPasskey(synced, unverified)).access)).toBe("aal2 [pwd swk user pop mfa] {pwd swk}");
  });

  it("password, then a key that could never verify its user", async () => {
    const person = await passkeyPerson(securityKey({ userVerified: false }));
    expect(said((await signedInWithPasskey(person)).access)).toBe("aal2 [pwd hwk user pop mfa] {hwk pwd}");
  });

  it("a synced passkey alone", async () => {
    const { access } = sessionOf(await signInByPasskey(synced.passkey));
    expect(said(access)).toBe("aal2 [swk user pop mfa] {swk}");
  });

  it("a synced passkey alone, its backup gone", async () => {
    const answer = await signInByPasskey(synced.passkey, { flags: { bs: false } });
    expect(said(sessionOf(answer).access)).toBe("aal2 [swk user pop mfa] {swk}");
  });

  it("a hardware key alone, and the service says the same of its session", async () => {
    const { access } = sessionOf(await signInByPasskey(hardware.passkey));
    expect(said(access)).toBe("aal2 [hwk user pop mfa] {hwk}");
    const { acr, amr } = proofOf(access);
    const shown = (await me(access)).body;
    expect(shown).toMatchObject({ acr, amr });
    expect(Object.keys(shown.factors as object)).toEqual(["hwk"]);
  });

  it("a password session that enrolled a passkey, from its next refresh", async () => {
    expect(said(synced.session.access)).toBe("aal1 [pwd] {pwd}");
    expect(said((await aal2(synced)).access)).toBe("aal2 [pwd swk user pop mfa] {pwd swk}");
    expect(said((await aal2(hardware)).access)).toBe("aal2 [pwd hwk user pop mfa] {hwk pwd}");
  });

  it("the code of an account that also has a passkey", async () => {
    const answer = await answerChallenge(await challenged(both), await both.authenticator.next());
    expect(said(sessionOf(answer).access)).toBe("aal2 [pwd otp mfa] {otp pwd}");
  });

  it("a step-up: in its one token the new proof, in the session's own the old ones", async () => {
    const session = sessionOf(await signInByPasskey(synced.passkey));
    await sleep(1_100);
    const raised = text(await answerByPasskey(await stepUp(session), synced.passkey), "access_token");
    expect(said(raised)).toBe("aal2 [swk user pop mfa] {swk}");
    expect(proofOf(raised).auth_time).toBeGreaterThan(proofOf(session.access).auth_time);
    const later = proofOf(sessionOf(await refreshed(session.refresh)).access);
    const { acr, amr, factors, auth_time } = proofOf(session.access);
    expect(later).toMatchObject({ acr, amr, factors, auth_time });
  });

  it("a step-up by another kind of factor than that of the sign-in", async () => {
    const alone = sessionOf(await signInByPasskey(both.passkey));
    const byCode = await answerChallenge(await stepUp(alone), await both.authenticator.next());
    expect(said(text(byCode, "access_token"))).toBe("aal2 [otp swk user pop mfa] {otp swk}");
  });
});
