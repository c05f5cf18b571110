import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  expectProblem,
  type Json,
  logIn,
  mailsTo,
  me,
  post,
  refreshed,
  type Session,
  send,
  sessionOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  aal2,
  addPasskey,
  answerByPasskey,
  answerWithPasskey,
  appAndPasskeyPerson,
  assertionFor,
  creation,
  creationOptions,
  credentialOf,
  factorsOf,
  type PasskeyPerson,
  passkeyPerson,
  request,
  secondFactorOptions,
  securityKey,
  signedInWithPasskey,
  signInByPasskey,
  syncedPasskey,
} from "../../support/passkey-client.ts";
import type { SoftwareAuthenticator } from "../../support/software-authenticator.ts";

const rename = (access: string, id: string, body: Json) =>
  send("PATCH", `/auth/2fa/factors/${encodeURIComponent(id)}`, body, { bearer: access });
const remove = (access: string, id: string) =>
  send("DELETE", `/auth/2fa/factors/${encodeURIComponent(id)}`, undefined, { bearer: access });
const said = (access: string) => {
  const { acr, factors } = decodeJwt(access);
  return [acr, ...Object.keys(factors as object)].join(" ");
};
const ids = (passkeys: SoftwareAuthenticator[]) => passkeys.map((one) => credentialOf(one).id).sort();

describe.concurrent("the passkeys of an account", () => {
  it("are at most ten; every new one must be another, and each of them opens the door", async () => {
    const person = await passkeyPerson();
    const { access } = await aal2(person);
    const passkeys = [person.passkey];
    const labels = [""];
    while (passkeys.length < 10) {
      const options = creation(await creationOptions(access));
      expect((options.excludeCredentials ?? []).map(({ id }) => id).sort()).toEqual(ids(passkeys));
      const passkey = passkeys.length % 2 === 0 ? syncedPasskey() : securityKey();
      const label = `Key ${passkeys.length}`;
      expect((await addPasskey(access, passkey, { label })).body.label).toBe(label);
      passkeys.push(passkey);
      labels.push(label);
    }
    expectProblem(await creationOptions(access), 409, "conflict");
    const listed = await factorsOf(access);
    expect(listed.map(({ label }) => label).slice(1)).toEqual(labels.slice(1));
    expect(new Set(listed.map(({ id }) => id)).size).toBe(10);
    const options = request(await secondFactorOptions(await challenged(person)));
    expect((options.allowCredentials ?? []).map(({ id }) => id).sort()).toEqual(ids(passkeys));
    for (const passkey of [passkeys[0], passkeys[9]]) {
      expect((await signInByPasskey(passkey ?? person.passkey)).body.status).toBe("authenticated");
    }
    // One of them gone, there is room again.
    expect((await remove(access, String(listed[5]?.id))).status).toBe(204);
    const session = sessionOf(await signInByPasskey(person.passkey));
    expect((await addPasskey(session.access, syncedPasskey())).status).toBe(201);
  });
});

describe.concurrent("renaming a passkey", () => {
  let person: PasskeyPerson;
  let session: Session;
  beforeAll(async () => {
    person = await passkeyPerson();
    session = await aal2(person);
  });

  it("answers with the factor as it is listed, and any session of the account may do it", async () => {
    const answer = await rename(person.session.access, person.passkeyId, { label: "Blue key <i>🔑" });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toMatchObject({ id: person.passkeyId, kind: "passkey", label: "Blue key <i>🔑" });
    expect(await factorsOf(session.access)).toEqual([answer.body]);
    expect((await signInByPasskey(person.passkey)).body.status).toBe("authenticated");
  });

  it("needs a label that is a short text, and nothing else", async () => {
    const wrong = [{}, { label: 1 }, { label: null }, { label: ["a"] }, { label: "x".repeat(10_000) }];
    for (const body of [
      ...wrong,
      { label: "ok", kind: "totp" },
      { label: "ok", id: "x" },
      { label: "ok", sign_count: 0 },
    ]) {
      const answer = await rename(session.access, person.passkeyId, body);
      expectProblem(answer, 400, "invalid_request");
    }
  });

  it("does not reach another account's, nor one that nobody has", async () => {
    const stranger = await passkeyPerson();
    const fresh = await aal2(stranger);
    const before = await factorsOf(session.access);
    for (const id of [
      person.passkeyId,
      "00000000-0000-4000-8000-000000000000",
      "x",
      "__proto__",
      "' OR 1=1 --",
      "x".repeat(600),
    ]) {
      for (const answer of [await rename(fresh.access, id, { label: "mine now" }), await remove(fresh.access, id)]) {
        expectProblem(answer, 404, "not_found");
      }
    }
    expect(await factorsOf(session.access)).toEqual(before);
    expect((await signInByPasskey(person.passkey)).body.status).toBe("authenticated");
  });
});

describe.concurrent("removing a passkey", () => {
  it("needs fresh proof, and is refused for the last factor", async () => {
    const person = await passkeyPerson();
    expectProblem(await remove(person.session.access, person.passkeyId), 401, "insufficient_user_authentication");
    expectProblem(await remove((await aal2(person)).access, person.passkeyId), 403, "forbidden");
    expect((await signInByPasskey(person.passkey)).body.status).toBe("authenticated");
  });

  it("ends what it could open: its sign-in, its challenges and the other sessions; the owner hears of it", async () => {
    const person = await appAndPasskeyPerson();
    const other = await signedInWithPasskey(person);
    const session = sessionOf(await signInByPasskey(person.passkey));
    const challenge = await challenged(person);
    const assertion = await assertionFor(challenge, person.passkey);
    const mails = (await mailsTo(person.email)).length;
    expect((await remove(session.access, person.passkeyId)).status).toBe(204);
    expectProblem(await answerWithPasskey(challenge, assertion), 401, "invalid_challenge");
    expectProblem(await signInByPasskey(person.passkey), 401, "invalid_code");
    expectProblem(await me(other.access), 401, "invalid_token");
    expect((await mailsTo(person.email, mails + 1)).length).toBe(mails + 1);
    const login = await logIn(person);
    expect(login.body.methods).not.toContain("passkey");
    const token = text(login, "challenge_token");
    expectProblem(await secondFactorOptions(token), 401, "invalid_code");
    expectProblem(await answerWithPasskey(token, assertion), 401, "invalid_code");
    expect((await answerChallenge(token, await person.authenticator.next())).status).toBe(200);
  });

  it("leaves the other keys what they were", async () => {
    const person = await passkeyPerson();
    const key = securityKey();
    const { access } = await aal2(person);
    expect((await addPasskey(access, key)).status).toBe(201);
    expect((await remove(access, person.passkeyId)).status).toBe(204);
    expect((await answerByPasskey(await challenged(person), key)).body.status).toBe("authenticated");
    expect((await factorsOf((await signedInWithPasskey({ ...person, passkey: key })).access)).length).toBe(1);
  });
});

describe.concurrent("a passkey enrolled after a recovery code", () => {
  it("does not raise that session, nor answer for it, and signs in with full powers", async () => {
    const person = await verifiedPerson();
    const lost = syncedPasskey();
    const first = await addPasskey((await signedIn(person)).access, lost);
    const [code] = first.body.recovery_codes as string[];
    const body = { challenge_token: await challenged(person), method: "recovery_code", code };
    const session = sessionOf(await post("/auth/2fa/verify", body));
    expectProblem(await creationOptions(session.access), 401, "insufficient_user_authentication");
    const proven = await post("/auth/step-up", { password: person.password }, { bearer: session.access });
    const key = securityKey();
    expect((await addPasskey(text(proven, "access_token"), key)).status).toBe(201);
    const next = sessionOf(await refreshed(session.refresh));
    expect(decodeJwt(next.access)).toMatchObject({ sid: session.id, acr: "aal2-recovery", amr: ["pwd", "mfa"] });
    expectProblem(await remove(next.access, text(first, "id")), 401, "insufficient_user_authentication");
    const raising = text(await post("/auth/step-up", {}, { bearer: next.access }), "challenge_token");
    const { challenge, allowCredentials } = request(await secondFactorOptions(raising));
    expect(allowCredentials?.map(({ id }) => id)).toEqual(ids([lost]));
    expectProblem(await answerWithPasskey(raising, await key.assert({ challenge })), 401, "invalid_code");
    expect(said(text(await answerByPasskey(raising, lost), "access_token"))).toBe("aal2 pwd swk");
    const full = sessionOf(await signInByPasskey(key));
    expect((await remove(full.access, text(first, "id"))).status).toBe(204);
  });
});
