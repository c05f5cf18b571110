import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  expectProblem,
  get,
  logIn,
  mailsTo,
  me,
  type Person,
  post,
  refreshed,
  type Session,
  send,
  sessionOf,
  sessionsOf,
  signedIn,
  text,
  twoFactorPerson,
  verifiedPerson,
  withFactor,
} from "../../support/client.ts";
import {
  aal2,
  addPasskey,
  answerByPasskey,
  answerWithPasskey,
  assertionFor,
  creation,
  creationOptions,
  credentialOf,
  factorsOf,
  passkeyPerson,
  register,
  securityKey,
  signInByPasskey,
  syncedPasskey,
} from "../../support/passkey-client.ts";
import type { SoftwareAuthenticator } from "../../support/software-authenticator.ts";

describe.concurrent("the options for a new passkey", () => {
  let person: Person;
  let session: Session;
  beforeAll(async () => {
    person = await verifiedPerson();
    session = await signedIn(person);
  });

  it("ask for ES256 or RS256, a discoverable key and a verified user if there is one, and no attestation", async () => {
    const answer = await creationOptions(session.access);
    expect(answer.status, answer.text).toBe(200);
    const { challenge, user, timeout, authenticatorSelection, ...rest } = answer.body;
    expect(rest).toMatchObject({
      rp: { id: "localhost", name: "Sallyport" },
      pubKeyCredParams: [
        { type: "public-key", alg: -7 },
        { type: "public-key", alg: -257 },
      ],
      excludeCredentials: [],
      attestation: "none",
    });
    expect(authenticatorSelection).toMatchObject({ residentKey: "preferred", userVerification: "preferred" });
    expect(authenticatorSelection).not.toHaveProperty("authenticatorAttachment");
    expect(Buffer.from(String(challenge), "base64url").length).toBeGreaterThanOrEqual(32);
    expect(challenge).toMatch(/^[\w-]+$/);
    expect(Number(timeout)).toBeLessThanOrEqual(300_000);
    expect(Object.keys(user as object).sort()).toEqual(["displayName", "id", "name"]);
  });

  it("name the account by an opaque handle: no address in it, at most 64 bytes, the same for each of its keys", async () => {
    const handles = [creation(await creationOptions(session.access)), creation(await creationOptions(session.access))];
    const [first, second] = handles.map(({ user }) => user.id);
    expect(second).toBe(first);
    const bytes = Buffer.from(first ?? "", "base64url");
    expect(bytes.length).toBeGreaterThanOrEqual(16);
    expect(bytes.length).toBeLessThanOrEqual(64);
    const readable = bytes.toString("latin1");
    expect(readable).not.toContain(person.email.split("@")[0]);
    expect(readable).not.toContain(String(decodeJwt(session.access).sub));
    const other = await signedIn(await verifiedPerson());
    expect(creation(await creationOptions(other.access)).user.id).not.toBe(first);
  });

  it("are for somebody who is signed in, and no other kind of token", async () => {
    const guarded = await passkeyPerson();
    const challenge = await challenged(guarded);
    for (const bearer of [challenge, guarded.session.refresh, "a.b.c"]) {
      expectProblem(await creationOptions(bearer), 401, ["invalid_token", "invalid_challenge"]);
      const added = await post("/auth/2fa/passkeys", { response: {} }, { bearer });
      expect([400, 401]).toContain(added.status);
      for (const method of ["PATCH", "DELETE"]) {
        const body = method === "PATCH" ? { label: "mine" } : undefined;
        const answer = await send(method, `/auth/2fa/factors/${guarded.passkeyId}`, body, { bearer });
        expectProblem(answer, 401, "invalid_token");
      }
    }
    expectProblem(await post("/auth/2fa/passkeys/options", {}), 401, "invalid_token");
    expect((await answerByPasskey(challenge, guarded.passkey)).status).toBe(200);
  });
});

describe("adding the first passkey", () => {
  const label = "Phone 📱 <b>";
  let person: Person;
  let other: Session;
  let session: Session;
  let passkey: SoftwareAuthenticator;
  let answer: Answer;
  beforeAll(async () => {
    passkey = syncedPasskey();
    person = await verifiedPerson();
    [other, session] = [await signedIn(person), await signedIn(person)];
    answer = await addPasskey(session.access, passkey, { label });
    expect(answer.status, answer.text).toBe(201);
  });

  it("makes it active under its label, with ten recovery codes, and no tokens", async () => {
    const { recovery_codes, status, ...factor } = answer.body;
    expect(status).toBe("active");
    expect(new Set(recovery_codes as string[]).size).toBe(10);
    expect(factor).toEqual({
      id: expect.stringMatching(/^\S+$/),
      kind: "passkey",
      label,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      last_used_at: null,
    });
    expect(answer.headers.getSetCookie()).toEqual([]);
    const listed = await get("/auth/2fa", { bearer: session.access });
    expect(listed.body).toEqual({ factors: [factor], recovery_codes_remaining: 10, required: false });
    expect(listed.text).not.toContain(credentialOf(passkey).id);
  });

  it("ends the other sessions and lets this one go on, with both proofs from its next refresh", async () => {
    expectProblem(await me(other.access), 401, "invalid_token");
    expectProblem(await refreshed(other.refresh), 401, "invalid_refresh_token");
    expect((await sessionsOf(session.access)).map(({ id }) => id)).toEqual([session.id]);
    // What is fresh is the account's highest level: the token from before the factor is not.
    const stale = await creationOptions(session.access);
    expectProblem(stale, 401, "insufficient_user_authentication");
    expect(stale.headers.get("www-authenticate")).toContain('acr_values="aal2"');
    expect(stale.headers.get("www-authenticate")).toMatch(/\bmax_age="?300"?(,|$)/);
    const next = sessionOf(await refreshed(session.refresh));
    expect(next.id).toBe(session.id);
    const { acr, factors } = (await me(next.access)).body;
    expect({ acr, factors }).toEqual({ acr: "aal2", factors: { pwd: expect.any(String), swk: expect.any(String) } });
    expect((await creationOptions(next.access)).status).toBe(200);
  });

  it("closes the door that the password alone had opened", async () => {
    const login = await logIn(person);
    expect(Object.keys(login.body).sort()).toEqual(["challenge_token", "expires_in", "methods", "status"]);
    expect([...(login.body.methods as string[])].sort()).toEqual(["passkey", "recovery_code"]);
  });

  it("tells the owner by mail", async () => {
    // The first mail was the link that verified the address.
    const [mail, ...older] = await mailsTo(person.email, 2);
    expect(older.length).toBe(1);
    expect(mail?.to).toBe(person.email);
    expect(`${mail?.subject} ${mail?.text}`).toMatch(/passkey|security key/i);
    expect(mail?.text).not.toContain(credentialOf(passkey).id);
  });
});

describe.concurrent("adding another factor", () => {
  it("takes any key that a browser may offer: RS256, without room for a handle, without verification", async () => {
    const person = await passkeyPerson(securityKey({ userVerified: false }));
    const session = await aal2(person);
    const keys = [syncedPasskey({ algorithm: -257 }), securityKey({ discoverable: false })];
    for (const key of keys) expect((await addPasskey(session.access, key)).status).toBe(201);
    for (const key of [person.passkey, ...keys]) {
      const answer = await answerByPasskey(await challenged(person), key);
      expect(answer.body.status, answer.text).toBe("authenticated");
    }
  });

  it("brings no recovery codes again, and kills the challenges that were open", async () => {
    const person = await twoFactorPerson();
    const session = await aal2(person);
    const challenge = await challenged(person);
    const passkey = syncedPasskey();
    const answer = await addPasskey(session.access, passkey);
    expect(answer.status, answer.text).toBe(201);
    expect(Object.keys(answer.body).sort()).toEqual(["created_at", "id", "kind", "label", "last_used_at", "status"]);
    expectProblem(await answerChallenge(challenge, await person.authenticator.next()), 401, "invalid_challenge");
    expect((await factorsOf(session.access)).map(({ kind }) => kind).sort()).toEqual(["passkey", "totp"]);
    const methods = (await logIn(person)).body.methods as string[];
    expect(methods.filter((method) => method !== "recovery_code").sort()).toEqual(["passkey", "totp"]);
  });

  it("kills the challenges that passkeys were about to answer, this session's own step-up included", async () => {
    const person = await passkeyPerson();
    const session = await aal2(person);
    const raising = await post("/auth/step-up", {}, { bearer: session.access });
    const challenges = [await challenged(person), text(raising, "challenge_token")];
    const assertions = await Promise.all(challenges.map((challenge) => assertionFor(challenge, person.passkey)));
    const guarded = await withFactor(person, session);
    for (const [i, challenge] of challenges.entries()) {
      expectProblem(await answerWithPasskey(challenge, assertions[i] ?? {}), 401, "invalid_challenge");
    }
    expect((await signInByPasskey(person.passkey)).body.status).toBe("authenticated");
    expect((await answerChallenge(await challenged(person), await guarded.authenticator.next())).status).toBe(200);
  });

  it("is possible in a session that a passkey alone opened", async () => {
    const person = await passkeyPerson();
    const session = sessionOf(await signInByPasskey(person.passkey));
    expect((await addPasskey(session.access, securityKey())).status).toBe(201);
    expect((await factorsOf(session.access)).length).toBe(2);
  });
});

describe.concurrent("the session that asked for the options", () => {
  it("is the only one that can use them", async () => {
    const person = await verifiedPerson();
    const [session, other] = [await signedIn(person), await signedIn(person)];
    const stranger = await signedIn(await verifiedPerson());
    const asked = creation(await creationOptions(session.access));
    const response = await syncedPasskey().register(asked);
    const refusals = [await register(other.access, response), await register(stranger.access, response)];
    await creationOptions(stranger.access);
    refusals.push(await register(stranger.access, response));
    for (const answer of refusals) expectProblem(answer, 400, "invalid_request");
    expect((await register(session.access, response)).status).toBe(201);
  });

  it("needs no new proof to finish: the options are its proof", async () => {
    const person = await twoFactorPerson();
    const response = await syncedPasskey().register(creation(await creationOptions((await aal2(person)).access)));
    // The older token of the same session is not fresh enough to ask, and good enough to confirm.
    expectProblem(await creationOptions(person.session.access), 401, "insufficient_user_authentication");
    expect((await register(person.session.access, response)).status).toBe(201);
  });

  it("can use them once", async () => {
    const session = await signedIn(await verifiedPerson());
    const asked = creation(await creationOptions(session.access));
    expect((await register(session.access, await syncedPasskey().register(asked))).status).toBe(201);
    expectProblem(await register(session.access, await syncedPasskey().register(asked)), 400, "invalid_request");
    expect((await factorsOf(session.access)).length).toBe(1);
  });

  it("takes them with it when it ends", async () => {
    const person = await verifiedPerson();
    const session = await signedIn(person);
    const response = await syncedPasskey().register(creation(await creationOptions(session.access)));
    await post("/auth/logout", { refresh_token: session.refresh });
    expectProblem(await register(session.access, response), 401, "invalid_token");
    expectProblem(await register((await signedIn(person)).access, response), 400, "invalid_request");
  });
});
