import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  expectProblem,
  issuer,
  type Json,
  logIn,
  me,
  newSource,
  type Person,
  post,
  refreshed,
  sessionsOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  answerByPasskey,
  type PasskeyPerson,
  passkeyPerson,
  signInByPasskey,
  usernamelessAssertion,
  verifyPasskey,
} from "../../support/passkey-client.ts";
import { verified } from "../../support/published.ts";
import {
  accessTokenAlone,
  type CoveredPerson,
  coveredPerson,
  recover,
  spare,
  stepUp,
} from "../../support/recovery-client.ts";
import { claimsOf, leaveServices, talkToServices } from "../../support/service-clients.ts";

let person: Person;
let covered: CoveredPerson;
let keyed: PasskeyPerson;
beforeAll(async () => {
  await talkToServices();
  [person, covered, keyed] = await Promise.all([verifiedPerson(), coveredPerson(), passkeyPerson()]);
});
afterAll(leaveServices);

const audienceOf = (answer: Answer) => claimsOf(text(answer, "access_token")).aud;
const refreshedFor = (refresh: string, audience?: unknown) =>
  post("/auth/refresh", audience === undefined ? { refresh_token: refresh } : { refresh_token: refresh, audience });
/** The challenge of a sign-in for a service. */
const challengedFor = async (somebody: Person, audience: string) =>
  text(await logIn(somebody, { audience }), "challenge_token");

/** Asserts RFC 9470's refusal, with what would satisfy the service. */
function expectTooWeak(answer: Answer, acr = "aal2"): void {
  expectProblem(answer, 401, "insufficient_user_authentication");
  const header = answer.headers.get("www-authenticate") ?? "";
  expect(header).toMatch(/^(Bearer|DPoP) /);
  expect(header).toContain('error="insufficient_user_authentication"');
  expect(header).toContain(`acr_values="${acr}"`);
  expect(answer.text).not.toMatch(/_token"/);
  expect(answer.headers.getSetCookie()).toEqual([]);
}

function expectUnknownAudience(answer: Answer): void {
  expectProblem(answer, 400, "invalid_request");
  const errors = answer.body.errors as Json[];
  expect(errors.map(({ path }) => path)).toEqual(["audience"]);
}

const nonsense = ["nothing", "", "Orders", "orders ", "orders,billing", `${issuer}/`, ["orders"], {}, 1, null, true];

describe("the audience of a sign-in", () => {
  it("is the issuer, or the service that was asked for, and one string", async () => {
    for (const [more, audience] of [
      [{}, issuer],
      [{ audience: issuer }, issuer],
      [{ audience: "orders" }, "orders"],
      [{ audience: "billing" }, "billing"],
    ] as const) {
      const answer = await logIn(person, more);
      const token = text(answer, "access_token");
      const { payload } = await verified(token, audience);
      expect(payload.aud).toBe(audience);
      expect(payload).toMatchObject({ iss: issuer, client_id: "first-party", sid: answer.body.session_id });
      await expect(verified(token, audience === "orders" ? "billing" : "orders")).rejects.toMatchObject({
        claim: "aud",
      });
      expect((await me(token)).status).toBe(audience === issuer ? 200 : 401);
    }
  });

  it("is kept through the second door, and through every refresh", async () => {
    const challenge = await challengedFor(covered, "orders");
    const answer = await answerChallenge(challenge, await covered.authenticator.next());
    expect(audienceOf(answer)).toBe("orders");
    const second = await refreshedFor(text(answer, "refresh_token"));
    expect(audienceOf(second)).toBe("orders");
    const third = await refreshedFor(text(second, "refresh_token"), "billing");
    expect(audienceOf(third)).toBe("billing");
    // The issuer "may always be asked for"; without a wish it is "that of the sign-in".
    const fourth = await refreshedFor(text(third, "refresh_token"), issuer);
    expect(audienceOf(fourth)).toBe(issuer);
    expect((await me(text(fourth, "access_token"))).status).toBe(200);
    expect(audienceOf(await refreshedFor(text(fourth, "refresh_token")))).toBe("orders");
  });

  it("by passkey alone is the service that was asked for", async () => {
    const answer = await verifyPasskey(await usernamelessAssertion(keyed.passkey), { audience: "vault" });
    expect(claimsOf(text(answer, "access_token"))).toMatchObject({ aud: "vault", acr: "aal2" });
    expect(audienceOf(await signInByPasskey(keyed.passkey))).toBe(issuer);
  });

  it("is none that is unknown, wherever it is asked for; and nothing has come of it", async () => {
    const session = await signedIn(person);
    const before = (await sessionsOf(session.access)).length;
    for (const audience of nonsense) {
      expectUnknownAudience(await logIn(person, { audience }, { source: newSource() }));
      expectUnknownAudience(await refreshedFor(session.refresh, audience));
      expectUnknownAudience(await stepUp(session.access, { audience, password: person.password }));
      const response = await usernamelessAssertion(keyed.passkey);
      expectUnknownAudience(await verifyPasskey(response, { audience }));
      if (audience === "nothing") expect(audienceOf(await verifyPasskey(response))).toBe(issuer);
    }
    expect((await sessionsOf(session.access)).length).toBe(before);
    expect((await refreshed(session.refresh)).status).toBe(200);
  });

  it("may be asked for at step-up, for that one token", async () => {
    const session = await signedIn(person);
    const byPassword = await stepUp(session.access, { password: person.password, audience: "orders" });
    expect(claimsOf(accessTokenAlone(byPassword))).toMatchObject({ aud: "orders", sid: session.id });
    expect(audienceOf(await stepUp(session.access, { password: person.password }))).toBe(issuer);
    const challenge = text(await stepUp(covered.session.access, { audience: "vault" }), "challenge_token");
    const token = accessTokenAlone(await answerChallenge(challenge, await covered.authenticator.next()));
    expect(claimsOf(token)).toMatchObject({ aud: "vault", acr: "aal2", sid: covered.session.id });
    expect((await me(token)).body.code).toBe("invalid_token");
    expect(audienceOf(await refreshed(session.refresh))).toBe(issuer);
  });
});

describe("a service that asks for more proof", () => {
  it("is not for a password alone, at sign-in, at refresh and at step-up", async () => {
    const session = await signedIn(person);
    const first = await refreshed(session.refresh);
    const before = await sessionsOf(session.access);
    for (const [audience, acr] of [
      ["vault", "aal2"],
      ["archive", "aal2-recovery"],
      ["ledger", "aal2"],
    ] as const) {
      expectTooWeak(await logIn(person, { audience }), acr);
      expectTooWeak(await logIn(person, { audience }, { headers: { origin: issuer } }), acr);
      expectTooWeak(await refreshedFor(text(first, "refresh_token"), audience), acr);
      expectTooWeak(await stepUp(session.access, { password: person.password, audience }), acr);
    }
    expect(await sessionsOf(session.access)).toEqual(before);
    // Had a refusal moved the generation, the token before it would now be taken for stolen.
    expect((await refreshed(session.refresh)).body.refresh_token).toBe(first.body.refresh_token);
    expect(audienceOf(await refreshedFor(text(first, "refresh_token"), "orders"))).toBe("orders");
  });

  it("judges a sign-in when its factor has been proven", async () => {
    const challenge = await challengedFor(keyed, "vault");
    const answer = await answerByPasskey(challenge, keyed.passkey);
    expect(claimsOf(text(answer, "access_token"))).toMatchObject({ aud: "vault", acr: "aal2" });
    const again = await refreshedFor(text(answer, "refresh_token"));
    expect(audienceOf(again)).toBe("vault");
    const other = await coveredPerson();
    const byCode = await answerChallenge(await challengedFor(other, "ledger"), await other.authenticator.next());
    expect(claimsOf(text(byCode, "access_token")).amr).toContain("otp");
  });

  it("is not for a factor of another kind: the answer is spent, and opens nothing", async () => {
    const { access } = keyed.session;
    const before = (await sessionsOf(access)).length;
    const challenge = await challengedFor(keyed, "ledger");
    expectTooWeak(await answerByPasskey(challenge, keyed.passkey));
    expectProblem(await post("/auth/2fa/passkey/options", { challenge_token: challenge }), 401, "invalid_challenge");
    const response = await usernamelessAssertion(keyed.passkey);
    expectTooWeak(await verifyPasskey(response, { audience: "ledger" }));
    expectProblem(await verifyPasskey(response), 401, ["invalid_code", "invalid_challenge", "sign_in_failed"]);
    expect((await sessionsOf(access)).length).toBe(before);
  });

  it("is for a recovery code only where it says so", async () => {
    const { access } = covered.session;
    const before = (await sessionsOf(access)).length;
    const [challenge, code] = [await challengedFor(covered, "vault"), spare(covered)];
    expectTooWeak(await recover(challenge, code));
    expectProblem(await recover(challenge, spare(covered)), 401, "invalid_challenge");
    expect((await recover(await challengedFor(covered, "orders"), code)).body.code).toBe("invalid_code");
    expect((await sessionsOf(access)).length).toBe(before);
    const answer = await recover(await challengedFor(covered, "archive"), spare(covered));
    expect(claimsOf(text(answer, "access_token"))).toMatchObject({ aud: "archive", acr: "aal2-recovery" });
    expectTooWeak(await refreshedFor(text(answer, "refresh_token"), "vault"));
    expect(audienceOf(await refreshedFor(text(answer, "refresh_token"), "billing"))).toBe("billing");
  });

  it("is not reached by a session that was opened for another", async () => {
    const answer = await verifyPasskey(await usernamelessAssertion(keyed.passkey), { audience: "orders" });
    const refresh = text(answer, "refresh_token");
    expectTooWeak(await refreshedFor(refresh, "ledger"));
    const vault = await refreshedFor(refresh, "vault");
    expect(audienceOf(vault)).toBe("vault");
    expectTooWeak(await refreshedFor(text(vault, "refresh_token"), "ledger"));
    expect(audienceOf(await refreshedFor(text(vault, "refresh_token")))).toBe("orders");
  });
});
