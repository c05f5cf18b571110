import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  cookieOf,
  distinguishable,
  expectProblem,
  logIn,
  me,
  newSource,
  ownPage,
  post,
  refreshCookie,
  refreshed,
  sessionOf,
  sessionsOf,
  signedIn,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";
import {
  aal2,
  addPasskey,
  answerByPasskey,
  appAndPasskeyPerson,
  badSignature,
  creation,
  creationOptions,
  credentialOf,
  type PasskeyPerson,
  passkeyPerson,
  request,
  securityKey,
  signInByPasskey,
  syncedPasskey,
  usernamelessAssertion,
  usernamelessOptions,
  verifyPasskey,
  wrongCodes,
} from "../../support/passkey-client.ts";

let person: PasskeyPerson;
let eve: PasskeyPerson;
beforeAll(async () => {
  [person, eve] = await Promise.all([passkeyPerson(), passkeyPerson()]);
});

describe("the options of a sign-in without a user name", () => {
  it("are the same for everyone but for the challenge", async () => {
    const page = await verifyPasskey(await usernamelessAssertion(eve.passkey), {}, { headers: ownPage });
    const answers = [
      await usernamelessOptions(),
      await usernamelessOptions({ bearer: person.session.access }),
      await usernamelessOptions({ source: person.source }),
      await usernamelessOptions({ cookie: cookieOf(page) }),
    ];
    const likeness = (answer: Answer) => {
      const challenge = text(answer, "challenge");
      const { text: body, ...rest } = distinguishable(answer);
      return { ...rest, length: challenge.length, body: String(body).replace(challenge, "<challenge>") };
    };
    const [first, ...others] = answers.map(likeness);
    for (const other of others) expect(other).toEqual(first);
    expect(new Set(answers.map(({ body }) => body.challenge)).size).toBe(answers.length);
    expect(answers[0]?.body).toMatchObject({ rpId: "localhost", userVerification: "required" });
    expect(answers[0]?.body.allowCredentials ?? []).toEqual([]);
    expect(answers[0]?.headers.getSetCookie()).toEqual([]);
    expect(Buffer.from(text(answers[0] as Answer, "challenge"), "base64url").length).toBeGreaterThanOrEqual(32);
  });

  it("push out none that were given before", async () => {
    const options = request(await usernamelessOptions());
    for (let i = 0; i < 25; i++) await usernamelessOptions({ source: person.source });
    const answer = await verifyPasskey(await person.passkey.assert(options));
    expect(answer.body.status, answer.text).toBe("authenticated");
  });
});

describe("a sign-in by passkey alone", () => {
  it("opens a session whose refresh works and that may do what needs fresh proof", async () => {
    const answer = await signInByPasskey(person.passkey);
    expect(Object.keys(answer.body).sort()).toEqual(
      "access_token expires_in refresh_expires_in refresh_token session_id status token_type".split(" "),
    );
    expect(answer.body).toMatchObject({ status: "authenticated", token_type: "Bearer", refresh_expires_in: 86_400 });
    const session = sessionOf(answer);
    expect((await me(session.access)).body).toMatchObject({ email: person.email, acr: "aal2" });
    const next = sessionOf(await refreshed(session.refresh));
    expect(next.id).toBe(session.id);
    expect(decodeJwt(next.access)).toMatchObject({ acr: "aal2", sid: session.id });
    expect((await creationOptions(session.access)).status).toBe(200);
  });

  it("gives a browser its refresh token as a cookie, for as long as it asked", async () => {
    const assertion = await usernamelessAssertion(person.passkey);
    const page = await verifyPasskey(assertion, { remember: true }, { headers: ownPage });
    expect(page.body.status).toBe("authenticated");
    expect(page.text).not.toContain("rt_");
    expect(refreshCookie(page)?.attributes).toEqual(
      expect.arrayContaining(["secure", "httponly", "samesite=strict", "path=/", `max-age=${14 * 86_400}`]),
    );
    const again = await post("/auth/refresh", {}, { headers: ownPage, cookie: cookieOf(page) });
    expect(again.body.status).toBe("authenticated");
    const plain = await verifyPasskey(await usernamelessAssertion(person.passkey), { remember: true });
    expect(plain.body.refresh_expires_in).toBe(14 * 86_400);
  });

  it("takes each assertion once, and says of a used one what it says of a wrong one", async () => {
    const before = (await sessionsOf(person.session.access)).length;
    const assertion = await usernamelessAssertion(person.passkey);
    const opened = await verifyPasskey(assertion);
    expect(opened.status).toBe(200);
    const wrong = distinguishable(await signInByPasskey(person.passkey, badSignature));
    for (let i = 0; i < 3; i++) expect(distinguishable(await verifyPasskey(assertion))).toEqual(wrong);
    // A challenge is used up with its assertion: another one for the same challenge is too late as well.
    const { challenge } = JSON.parse(Buffer.from(assertion.response.clientDataJSON, "base64url").toString());
    expect(distinguishable(await verifyPasskey(await person.passkey.assert({ challenge })))).toEqual(wrong);
    expect((await sessionsOf(text(opened, "access_token"))).length).toBe(before + 1);
  });

  it("leaves a challenge usable when what came for it was wrong", async () => {
    const options = request(await usernamelessOptions());
    expectProblem(await verifyPasskey(await person.passkey.assert(options, badSignature)), 401, "invalid_code");
    expect((await verifyPasskey(await person.passkey.assert(options))).status).toBe(200);
  });

  it("needs a verified user", async () => {
    const wrong = distinguishable(await signInByPasskey(person.passkey, badSignature));
    const answer = await signInByPasskey(person.passkey, { flags: { uv: false } });
    expect(distinguishable(answer)).toEqual(wrong);
    expectProblem(answer, 401, "invalid_code");
  });

  it("does not believe a key that verifies its user for the first time, until another factor stood beside it", async () => {
    const key = securityKey({ userVerified: false });
    const owner = await passkeyPerson(key);
    expectProblem(await signInByPasskey(key, { flags: { uv: true } }), 401, "invalid_code");
    const answer = await answerByPasskey(await challenged(owner), key, { flags: { uv: true } });
    expect(answer.body.status, answer.text).toBe("authenticated");
    expect((await signInByPasskey(key, { flags: { uv: true } })).body.status).toBe("authenticated");
  });

  it("names the account by the user handle alone, and the credential must be that account's", async () => {
    const pending = syncedPasskey();
    const options = creation(await creationOptions((await signedIn(await verifiedPerson())).access));
    await pending.register(options);
    const sub = String(decodeJwt(person.session.access).sub);
    const handles = [
      credentialOf(eve.passkey).userHandle,
      options.user.id,
      Buffer.from(sub).toString("base64url"),
      Buffer.from(sub.replaceAll("-", ""), "hex").toString("base64url"),
      null,
    ];
    const wrong = distinguishable(await signInByPasskey(person.passkey, badSignature));
    for (const userHandle of handles) {
      const answer = await signInByPasskey(person.passkey, { userHandle });
      expect({ userHandle, ...distinguishable(answer) }).toEqual({ userHandle, ...wrong });
    }
    expect(distinguishable(await signInByPasskey(pending))).toEqual(wrong);
    const answer = await signInByPasskey(person.passkey, { credential: credentialOf(eve.passkey) });
    expect((await me(text(answer, "access_token"))).body.email).toBe(eve.email);
  });
});

describe("failures without a user name", () => {
  it("cost the account nothing, and what its other factors cost it does not close this door", async () => {
    const owner = await appAndPasskeyPerson();
    for (let i = 0; i < 24; i++) {
      const edits = i % 2 === 0 ? badSignature : { flags: { uv: false } };
      const answer = await signInByPasskey(owner.passkey, edits);
      expectProblem(answer, 401, "invalid_code");
      expect(answer.body).not.toHaveProperty("attempts_remaining");
    }
    const challenge = await challenged(owner);
    expect((await answerChallenge(challenge, owner.authenticator.wrong())).body.attempts_remaining).toBe(4);
    expect((await answerChallenge(challenge, await owner.authenticator.next())).status).toBe(200);
    for (const times of [5, 4]) await wrongCodes(owner, await challenged(owner), times);
    expect((await signInByPasskey(owner.passkey)).body.status).toBe("authenticated");
  });

  it("close the door to their source after twenty, right assertions included, and to nobody else", async () => {
    const source = newSource();
    const from = async (edits = {}) =>
      verifyPasskey(await usernamelessAssertion(person.passkey, edits), {}, { source });
    expect((await from()).status).toBe(200);
    for (let i = 0; i < 20; i++) expectProblem(await from(badSignature), 401, "invalid_code");
    const refusals = [
      await from(),
      await from(badSignature),
      await verifyPasskey(await usernamelessAssertion(unknownKeyOf(person)), {}, { source }),
    ];
    for (const answer of refusals) {
      expectProblem(answer, 429, "too_many_attempts");
      const wait = Number(answer.headers.get("retry-after"));
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(600);
    }
    expect((await signInByPasskey(person.passkey)).status).toBe(200);
    expect((await usernamelessOptions({ source })).status).toBe(200);
  });

  it("of passwords from the same source never close it", async () => {
    const call = { source: newSource() };
    for (let i = 0; i < 25; i++) await post("/auth/login", { email: 1 }, call);
    expectProblem(await logIn({ ...person, ...call }), 429, "too_many_attempts");
    const answer = await verifyPasskey(await usernamelessAssertion(person.passkey), {}, call);
    expect(answer.body.status, answer.text).toBe("authenticated");
  });
});

/** The same passkey with a key that the service does not know. */
function unknownKeyOf(person: PasskeyPerson) {
  const stranger = syncedPasskey();
  stranger.credentials.push({ ...credentialOf(person.passkey), sign: async () => new Uint8Array(70) });
  return stranger;
}

describe("an account without a passkey", () => {
  it("cannot be signed in to by one, whatever its handle", async () => {
    const bob = await twoFactorPerson();
    const session = await aal2(bob);
    const { user } = creation(await creationOptions(session.access));
    expectProblem(await signInByPasskey(eve.passkey, { userHandle: user.id }), 401, "invalid_code");
    const passkey = syncedPasskey();
    expect((await addPasskey(session.access, passkey)).status).toBe(201);
    expect((await signInByPasskey(passkey)).body.status).toBe("authenticated");
  });
});
