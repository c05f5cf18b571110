import { describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  distinguishable,
  expectProblem,
  logIn,
  me,
  ownPage,
  post,
  refreshCookie,
  sessionsOf,
  text,
  twoFactorPerson,
} from "../../support/client.ts";
import {
  aal2,
  addPasskey,
  answerByPasskey,
  answerWithPasskey,
  appAndPasskeyPerson,
  assertionFor,
  badSignature,
  credentialOf,
  factorsOf,
  passkeyPerson,
  request,
  secondFactorOptions,
  securityKey,
  usernamelessAssertion,
  verifyPasskey,
  wrongCodes,
} from "../../support/passkey-client.ts";

describe.concurrent("the options of the second factor", () => {
  it("name the account's passkeys and prefer a verified user; the challenge stays until an assertion is tried", async () => {
    const person = await passkeyPerson();
    const challenge = await challenged(person);
    const first = await secondFactorOptions(challenge);
    expect(first.status, first.text).toBe(200);
    const { challenge: bytes, timeout, ...rest } = first.body;
    expect(rest).toMatchObject({
      rpId: "localhost",
      allowCredentials: [
        {
          type: "public-key",
          id: credentialOf(person.passkey).id,
          transports: expect.arrayContaining(["internal", "hybrid"]),
        },
      ],
      userVerification: "preferred",
    });
    expect(Buffer.from(String(bytes), "base64url").length).toBeGreaterThanOrEqual(32);
    expect(Number(timeout)).toBeLessThanOrEqual(300_000);
    expect((await secondFactorOptions(challenge)).body).toEqual(first.body);
    expectProblem(await answerByPasskey(challenge, person.passkey, badSignature), 401, "invalid_code");
    const second = request(await secondFactorOptions(challenge));
    expect(second.challenge).not.toBe(bytes);
    const answer = await answerWithPasskey(challenge, await person.passkey.assert(second));
    expect(answer.body.status, answer.text).toBe("authenticated");
  });

  it("name all passkeys, and either opens the door", async () => {
    const person = await passkeyPerson();
    const key = securityKey();
    expect((await addPasskey((await aal2(person)).access, key)).status).toBe(201);
    const listed = request(await secondFactorOptions(await challenged(person))).allowCredentials ?? [];
    const ids = [person.passkey, key].map((passkey) => credentialOf(passkey).id);
    expect(listed.map(({ id }) => id).sort()).toEqual(ids.sort());
    for (const passkey of [person.passkey, key]) {
      expect((await answerByPasskey(await challenged(person), passkey)).body.status).toBe("authenticated");
    }
  });

  it("are given for an open challenge alone, and nothing else tells what passkeys there are", async () => {
    const person = await passkeyPerson();
    const challenge = await challenged(person);
    expect((await answerByPasskey(challenge, person.passkey)).status).toBe(200);
    for (const token of [challenge, person.session.access, person.session.refresh, `${challenge}A`, "a.b.c"]) {
      const answer = await secondFactorOptions(token);
      expectProblem(answer, 401, "invalid_challenge");
      expect(answer.text).not.toContain(credentialOf(person.passkey).id);
    }
    expect((await logIn(person)).text).not.toContain(credentialOf(person.passkey).id);
  });

  it("for an account without a passkey are refused like a wrong code, and nothing is spent", async () => {
    const person = await twoFactorPerson();
    const login = await logIn(person);
    expect(login.body.methods).not.toContain("passkey");
    const challenge = text(login, "challenge_token");
    for (let i = 0; i < 6; i++) {
      const answer = await secondFactorOptions(challenge);
      expectProblem(answer, 401, "invalid_code");
      expect(answer.body.attempts_remaining).toBe(5);
    }
    expect((await answerChallenge(challenge, await person.authenticator.next())).status).toBe(200);
  });
});

describe.concurrent("a passkey as the second factor", () => {
  it("opens a session on the terms the sign-in asked for, and is listed with the time of that use", async () => {
    const person = await passkeyPerson();
    const plain = await answerByPasskey(await challenged(person), person.passkey);
    expect(Object.keys(plain.body).sort()).toEqual(
      "access_token expires_in refresh_expires_in refresh_token session_id status token_type".split(" "),
    );
    expect(refreshCookie(plain)).toBeUndefined();
    const [factor] = await factorsOf(text(plain, "access_token"));
    expect(Math.abs(Date.parse(String(factor?.last_used_at)) - Date.now())).toBeLessThan(10_000);
    const login = await logIn(person, { remember: true }, { headers: ownPage });
    const challenge = text(login, "challenge_token");
    const assertion = await assertionFor(challenge, person.passkey);
    const page = await answerWithPasskey(challenge, assertion, { headers: ownPage });
    expect(page.body.status).toBe("authenticated");
    expect(page.text).not.toContain("rt_");
    expect(refreshCookie(page)?.attributes).toContain(`max-age=${14 * 86_400}`);
  });

  it("is done with the challenge it answered, and its assertion opens no other", async () => {
    const person = await passkeyPerson();
    const [challenge, second] = [await challenged(person), await challenged(person)];
    const assertion = await assertionFor(challenge, person.passkey);
    expect((await answerWithPasskey(challenge, assertion)).status).toBe(200);
    expectProblem(await answerWithPasskey(challenge, assertion), 401, "invalid_challenge");
    expectProblem(await answerWithPasskey(second, assertion), 401, "invalid_code");
    const third = await challenged(person);
    await secondFactorOptions(third);
    expectProblem(await answerWithPasskey(third, assertion), 401, "invalid_code");
    expect((await sessionsOf(person.session.access)).length).toBe(2);
  });

  it("gets one try with each assertion challenge, right after wrong included", async () => {
    const person = await passkeyPerson();
    const challenge = await challenged(person);
    const options = request(await secondFactorOptions(challenge));
    expectProblem(
      await answerWithPasskey(challenge, await person.passkey.assert(options, badSignature)),
      401,
      "invalid_code",
    );
    expectProblem(await answerWithPasskey(challenge, await person.passkey.assert(options)), 401, "invalid_code");
    expect((await answerByPasskey(challenge, person.passkey)).status).toBe(200);
  });

  it("answers only the challenge its options were asked for", async () => {
    const person = await passkeyPerson();
    const [one, other] = [await challenged(person), await challenged(person)];
    const [forOne, forOther] = [await assertionFor(one, person.passkey), await assertionFor(other, person.passkey)];
    expectProblem(await answerWithPasskey(other, forOne), 401, "invalid_code");
    expectProblem(await answerWithPasskey(one, forOther), 401, "invalid_code");
    expect((await answerByPasskey(one, person.passkey)).status).toBe(200);
    expect((await answerByPasskey(other, person.passkey)).status).toBe(200);
  });

  it("of somebody else opens nothing, counts against the challenge's account, and stays good for its own", async () => {
    const [ada, eve] = [await passkeyPerson(), await passkeyPerson()];
    const [challenge, evesChallenge] = [await challenged(ada), await challenged(eve)];
    const evesAnswer = await assertionFor(evesChallenge, eve.passkey);
    const answers = [
      await answerWithPasskey(challenge, evesAnswer),
      await answerWithPasskey(
        challenge,
        await eve.passkey.assert({ challenge: request(await secondFactorOptions(challenge)).challenge }),
      ),
    ];
    for (const answer of answers) expectProblem(answer, 401, "invalid_code");
    expect(answers.map(({ body }) => body.attempts_remaining)).toEqual([4, 3]);
    const right = await answerWithPasskey(evesChallenge, evesAnswer);
    expect(right.body.status, right.text).toBe("authenticated");
    expect((await answerByPasskey(challenge, ada.passkey)).status).toBe(200);
  });

  it("answers no challenge made for a sign-in without a user name, and the other way round", async () => {
    const person = await passkeyPerson();
    const challenge = await challenged(person);
    await secondFactorOptions(challenge);
    expectProblem(await answerWithPasskey(challenge, await usernamelessAssertion(person.passkey)), 401, "invalid_code");
    expectProblem(await verifyPasskey(await assertionFor(challenge, person.passkey)), 401, "invalid_code");
    // What the wrong door refused is still good at the right one.
    expect((await answerByPasskey(challenge, person.passkey)).status).toBe(200);
  });
});

describe.concurrent("attempts", () => {
  it("of a challenge are five, whatever was tried; after them the right assertion finds none", async () => {
    const person = await appAndPasskeyPerson();
    const challenge = await challenged(person);
    const remaining: unknown[] = [];
    for (let i = 0; i < 5; i++) {
      const answer =
        i % 2 === 0
          ? await answerByPasskey(challenge, person.passkey, badSignature)
          : await answerChallenge(challenge, person.authenticator.wrong());
      expectProblem(answer, 401, "invalid_code");
      remaining.push(answer.body.attempts_remaining);
      if (i === 3) expect((await secondFactorOptions(challenge)).status).toBe(200);
    }
    expect(remaining).toEqual([4, 3, 2, 1, 0]);
    expectProblem(await secondFactorOptions(challenge), 401, "invalid_challenge");
    expectProblem(
      await answerWithPasskey(challenge, await usernamelessAssertion(person.passkey)),
      401,
      "invalid_challenge",
    );
  });

  it("of an account are ten an hour over codes and assertions; then codes are closed and passkeys are not", async () => {
    const person = await appAndPasskeyPerson();
    const [one, two, three] = [await challenged(person), await challenged(person), await challenged(person)];
    for (let i = 0; i < 5; i++) await answerByPasskey(one, person.passkey, badSignature);
    await wrongCodes(person, two, 4);
    const last = await answerByPasskey(three, person.passkey, badSignature);
    expectProblem(last, 401, "invalid_code");
    expectProblem(await answerChallenge(three, await person.authenticator.next()), 429, "too_many_attempts");
    const answer = await answerByPasskey(three, person.passkey);
    expect(answer.body.status, answer.text).toBe("authenticated");
    expect((await me(person.session.access)).status).toBe(200);
  });

  it("left are the fewer of the challenge's and the account's, after an assertion as after a code", async () => {
    const person = await appAndPasskeyPerson();
    for (const times of [5, 4]) await wrongCodes(person, await challenged(person), times);
    const answer = await answerByPasskey(await challenged(person), person.passkey, badSignature);
    expectProblem(answer, 401, "invalid_code");
    expect(answer.body.attempts_remaining).toBe(0);
  });

  it("at a factor the account does not have look like wrong ones", async () => {
    const [passkeyOnly, appOnly] = [await passkeyPerson(), await twoFactorPerson()];
    const challenge = await challenged(passkeyOnly);
    const code = await answerChallenge(challenge, "123456");
    const assertion = await answerByPasskey(await challenged(passkeyOnly), passkeyOnly.passkey, badSignature);
    for (const answer of [code, assertion]) expectProblem(answer, 401, "invalid_code");
    expect(distinguishable(code)).toEqual(distinguishable(assertion));
    const none = await answerWithPasskey(await challenged(appOnly), await usernamelessAssertion(passkeyOnly.passkey));
    expectProblem(none, 401, "invalid_code");
    expect(distinguishable(none)).toEqual(distinguishable(assertion));
  });
});

describe.concurrent("a wrong assertion", () => {
  it("does not reveal whether the credential is known, to whom, or that the signature was wrong", async () => {
    const [ada, eve, bob] = await Promise.all([passkeyPerson(), passkeyPerson(), appAndPasskeyPerson()]);
    const wrong = [
      await answerByPasskey(await challenged(ada), ada.passkey, badSignature),
      await answerByPasskey(await challenged(eve), ada.passkey, { credential: credentialOf(ada.passkey) }),
      await answerByPasskey(await challenged(bob), ada.passkey, {
        credential: credentialOf(ada.passkey),
        userHandle: null,
      }),
    ];
    const [first, ...others] = wrong.map(distinguishable);
    for (const other of others) expect(other).toEqual(first);
    expect(first?.status).toBe(401);
  });
});

describe("the route for answers", () => {
  it("takes no assertion from a page of another origin", async () => {
    const person = await passkeyPerson();
    const challenge = await challenged(person);
    const response = await assertionFor(challenge, person.passkey);
    const evil = { headers: { origin: "https://evil.example" } };
    for (const [path, body] of [
      ["/auth/2fa/verify", { challenge_token: challenge, method: "passkey", response }],
      ["/auth/2fa/passkey/options", { challenge_token: challenge }],
      ["/auth/passkey/options", {}],
      ["/auth/passkey/verify", { response }],
    ] as const) {
      expectProblem(await post(path, body, evil), 403, "forbidden_origin");
    }
    expect((await answerWithPasskey(challenge, response)).status).toBe(200);
  });
});
