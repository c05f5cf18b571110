import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  expectProblem,
  type Json,
  ownPage,
  post,
  refreshCookie,
  sessionsOf,
  type TwoFactorPerson,
  text,
  twoFactorPerson,
} from "../../support/client.ts";
import { bareProof, logInBound, meBound, postProven, sendProven, thumbprintOf } from "../../support/dpop-client.ts";
import { type Es256Key, newEs256Key } from "../../support/es256-jws.ts";
import {
  assertionFor,
  type PasskeyPerson,
  passkeyPerson,
  usernamelessAssertion,
} from "../../support/passkey-client.ts";

const VERIFY = "/auth/2fa/verify";
let [key, other]: Es256Key[] = [];
let keyed: PasskeyPerson;
const mine = (): Es256Key => key as Es256Key;
const foreign = (): Es256Key => other as Es256Key;
beforeAll(async () => {
  [[key, other], keyed] = await Promise.all([Promise.all([newEs256Key(), newEs256Key()]), passkeyPerson()]);
});

/** The challenge of a sign-in with a proof. */
const boundChallenge = async (person: TwoFactorPerson | PasskeyPerson, more: Json = {}, headers = {}) => {
  const answer = await logInBound(mine(), person, more, { headers });
  expect(answer.body.status, answer.text).toBe("challenge");
  return text(answer, "challenge_token");
};
const byCode = (challenge: string, code: string) => ({ challenge_token: challenge, method: "totp", code });
/** How many attempts a wrong code leaves: five are a challenge's, so four when it is the first. */
const attemptsAfter = async (answer: Answer) => {
  expectProblem(answer, 401, "invalid_code");
  return answer.body.attempts_remaining;
};

async function expectBound(answer: Answer): Promise<void> {
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.token_type).toBe("DPoP");
  expect(decodeJwt(text(answer, "access_token")).cnf).toEqual({ jkt: await thumbprintOf(mine()) });
}

describe("a challenge that was opened with a proof", () => {
  it("is answered with a proof of the same key, and with nothing less; a refusal spends nothing", async () => {
    const person = await twoFactorPerson();
    const challenge = await boundChallenge(person);
    const body = byCode(challenge, await person.authenticator.next());
    const refusals: [Promise<Answer>, string][] = [
      [post(VERIFY, body), "invalid_dpop_proof"],
      [post(VERIFY, body, { headers: ownPage }), "invalid_dpop_proof"],
      [postProven(foreign(), VERIFY, body), "invalid_dpop_proof"],
      [
        postProven(mine(), VERIFY, body, { dpop: await bareProof(mine(), { method: "POST", path: VERIFY }) }),
        "use_dpop_nonce",
      ],
      [postProven(mine(), VERIFY, body, { change: { claims: { htm: "GET" } } }), "invalid_dpop_proof"],
      [postProven(mine(), VERIFY, body, { change: { claims: { htu: "https://evil.example" } } }), "invalid_dpop_proof"],
      [postProven(mine(), VERIFY, body, { change: { header: { jwk: foreign().jwk } } }), "invalid_dpop_proof"],
      [postProven(mine(), VERIFY, body, { dpop: "proof" }), "invalid_dpop_proof"],
    ];
    for (const [answer, code] of refusals) expectProblem(await answer, 400, code);
    const wrong = await postProven(mine(), VERIFY, byCode(challenge, person.authenticator.wrong()));
    expect(await attemptsAfter(wrong)).toBe(4);
    const answer = await postProven(mine(), VERIFY, body);
    await expectBound(answer);
    expect((await meBound(mine(), text(answer, "access_token"))).body.acr).toBe("aal2");
    expectProblem(await postProven(mine(), VERIFY, body), 401, "invalid_challenge");
  });

  it("takes each proof once", async () => {
    const person = await twoFactorPerson();
    const challenge = await boundChallenge(person);
    const jti = crypto.randomUUID();
    const change = { claims: { jti } };
    const wrong = byCode(challenge, person.authenticator.wrong());
    expect(await attemptsAfter(await postProven(mine(), VERIFY, wrong, { change }))).toBe(4);
    const body = byCode(challenge, await person.authenticator.next());
    expectProblem(await postProven(mine(), VERIFY, body, { change }), 400, "invalid_dpop_proof");
    await expectBound(await postProven(mine(), VERIFY, body));
  });

  it("is answered with a passkey all the same", async () => {
    const challenge = await boundChallenge(keyed);
    const response = await assertionFor(challenge, keyed.passkey);
    const body = { challenge_token: challenge, method: "passkey", response };
    expectProblem(await post(VERIFY, body), 400, "invalid_dpop_proof");
    expectProblem(await postProven(foreign(), VERIFY, body), 400, "invalid_dpop_proof");
    await expectBound(await postProven(mine(), VERIFY, body));
  });

  it("keeps the wish for the refresh token in the body, which nobody has to repeat", async () => {
    const challenge = await boundChallenge(keyed, { token_delivery: "body" }, ownPage);
    const response = await assertionFor(challenge, keyed.passkey);
    const body = { challenge_token: challenge, method: "passkey", response };
    const answer = await postProven(mine(), VERIFY, body, { headers: ownPage });
    await expectBound(answer);
    expect(text(answer, "refresh_token")).toMatch(/^rt_/);
    expect(refreshCookie(answer)?.value ?? "").toBe("");
    const second = await boundChallenge(keyed, {}, ownPage);
    const again = { challenge_token: second, method: "passkey", response: await assertionFor(second, keyed.passkey) };
    const page = await postProven(mine(), VERIFY, again, { headers: ownPage });
    await expectBound(page);
    expect(page.text).not.toContain("rt_");
    expect(refreshCookie(page)?.value).toMatch(/^rt_/);
  });
});

describe("a challenge that was opened without a proof", () => {
  it("is answered without one; with one nothing happens, and nothing is spent", async () => {
    const person = await twoFactorPerson();
    const challenge = await challenged(person);
    const body = byCode(challenge, await person.authenticator.next());
    expectProblem(await postProven(mine(), VERIFY, body), 400, "invalid_dpop_proof");
    const wrong = byCode(challenge, person.authenticator.wrong());
    expectProblem(await postProven(mine(), VERIFY, wrong), 400, "invalid_dpop_proof");
    expect(await attemptsAfter(await post(VERIFY, wrong))).toBe(4);
    const answer = await answerChallenge(challenge, body.code);
    expect(answer.body).toMatchObject({ status: "authenticated", token_type: "Bearer" });
    expect(decodeJwt(text(answer, "access_token"))).not.toHaveProperty("cnf");
  });
});

describe("a passkey alone, with a proof", () => {
  it("opens a bound session", async () => {
    const before = (await sessionsOf(keyed.session.access)).length;
    const response = await usernamelessAssertion(keyed.passkey);
    const send = (dpop?: string, more: Json = {}) =>
      postProven(mine(), "/auth/passkey/verify", { response, ...more }, dpop === undefined ? {} : { dpop });
    const bare = await bareProof(mine(), { method: "POST", path: "/auth/passkey/verify" });
    expectProblem(await send(bare), 400, "use_dpop_nonce");
    expectProblem(await send("proof"), 400, "invalid_dpop_proof");
    expect((await sessionsOf(keyed.session.access)).length).toBe(before);
    const answer = await send();
    await expectBound(answer);
    expect((await meBound(mine(), text(answer, "access_token"))).body.acr).toBe("aal2");
    expect((await sessionsOf(keyed.session.access)).length).toBe(before + 1);
  });

  it("gives a page its refresh token in the body where it asks for that", async () => {
    for (const [more, inBody] of [
      [{ token_delivery: "body" }, true],
      [{}, false],
    ] as const) {
      const response = await usernamelessAssertion(keyed.passkey);
      const body = { response, ...more };
      const answer = await postProven(mine(), "/auth/passkey/verify", body, { headers: ownPage });
      await expectBound(answer);
      expect(answer.text.includes('"rt_')).toBe(inBody);
      expect((refreshCookie(answer)?.value ?? "") === "").toBe(inBody);
    }
  });
});

describe("a step-up of a bound session", () => {
  it("gives one token of the same key, for a proof of it", async () => {
    const person = await twoFactorPerson();
    const login = await boundChallenge(person);
    const access = text(
      await postProven(mine(), VERIFY, byCode(login, await person.authenticator.next())),
      "access_token",
    );
    const step = await sendProven(mine(), "POST", "/auth/step-up", {}, { access });
    const body = byCode(text(step, "challenge_token"), await person.authenticator.next());
    expectProblem(await post(VERIFY, body), 400, "invalid_dpop_proof");
    expectProblem(await postProven(foreign(), VERIFY, body), 400, "invalid_dpop_proof");
    const answer = await postProven(mine(), VERIFY, body);
    await expectBound(answer);
    expect(answer.body).not.toHaveProperty("refresh_token");
    expect((await meBound(mine(), text(answer, "access_token"))).status).toBe(200);
  });
});
