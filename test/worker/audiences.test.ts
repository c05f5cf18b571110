import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { SIGN_INS_TOLD } from "../../src/policy.ts";
import {
  type Answer,
  addAuthenticator,
  type Call,
  call,
  challengeOf,
  claimsOf,
  type GuardedPerson,
  ISSUER,
  newGuardedPerson,
  newPerson,
  type Person,
  recover,
} from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { pass, useMovedClock } from "./support/moved-clock.ts";
import { mailsBy } from "./support/notices.ts";

const AUDIENCES = JSON.stringify([
  "orders",
  { name: "payments", min_acr: "aal2" },
  { name: "vault", require_amr: ["pop"] },
]);
const bindings = { ...env, AUDIENCES };
/** The same service after its operator has taken one away. */
const without = { ...env, AUDIENCES: "payments" };

const ask = (path: string, body?: unknown, options: Call = {}) => call(path, body, { bindings, ...options });
const logIn = ({ email, password }: Person, audience?: string) => ask("/auth/login", { email, password, audience });
const refresh = (refresh_token: unknown, audience?: string, options: Call = {}) =>
  ask("/auth/refresh", { refresh_token, audience }, options);
const audienceOf = ({ body }: Answer) => claimsOf(body.access_token).aud;
const codeFor = (challenge: Answer, code: string, options: Call = {}) =>
  ask("/auth/2fa/verify", { challenge_token: challenge.body.challenge_token, method: "totp", code }, options);
const told = ({ status, headers }: Answer) => [status, headers.get("WWW-Authenticate")];
const TOO_LITTLE = [401, 'Bearer error="insufficient_user_authentication", acr_values="aal2"'];

let person: Person;
let guarded: GuardedPerson;

beforeAll(async () => {
  [person, guarded] = await Promise.all([newPerson(), newGuardedPerson()]);
});
useMovedClock();

describe("a token for a service", () => {
  it("is asked for at sign-in, stays the session's, and another can be had at each refresh", async () => {
    const first = await logIn(person, "orders");
    expect(audienceOf(first)).toBe("orders");
    const second = await refresh(first.body.refresh_token);
    expect(audienceOf(second)).toBe("orders");
    const third = await refresh(second.body.refresh_token, ISSUER);
    expect(audienceOf(third)).toBe(ISSUER);
    expect(audienceOf(await refresh(third.body.refresh_token))).toBe("orders");
  });

  it("is asked for before the second factor and given behind it", async () => {
    const opened = await codeFor(await logIn(guarded, "payments"), guarded.codeNow());
    expect(audienceOf(opened)).toBe("payments");
    pass(31_000);
    const asked = await ask("/auth/step-up", { audience: "orders" }, { bearer: await ownToken(opened) });
    expect(audienceOf(await codeFor(asked, guarded.codeNow()))).toBe("orders");
  });

  it("is none for our own routes", async () => {
    const { body } = await logIn(person, "orders");
    expect(told(await ask("/auth/me", undefined, { bearer: body.access_token }))).toEqual([
      401,
      'Bearer error="invalid_token"',
    ]);
  });

  it.each(["stock", "Orders", "orders ", "", `${ISSUER}/`, "__proto__"])("of the name %j is nobody's", async (name) => {
    const { body } = await logIn(person);
    const problem = { status: 400, body: { code: "invalid_request", errors: [{ path: "audience" }] } };
    expect(await logIn(person, name)).toMatchObject(problem);
    expect(await refresh(body.refresh_token, name)).toMatchObject(problem);
    expect(await refresh(body.refresh_token)).toMatchObject({ status: 200 });
  });
});

/** A token for our own routes, of the session of another one. */
async function ownToken(opened: Answer): Promise<unknown> {
  return (await refresh(opened.body.refresh_token, ISSUER)).body.access_token;
}

describe("a service that wants more proof than there is", () => {
  it("opens nothing at a sign-in by password alone", async () => {
    const somebody = await newPerson();
    expect(told(await logIn(somebody, "payments"))).toEqual(TOO_LITTLE);
    const { body } = await logIn(somebody);
    const { body: list } = await ask("/auth/sessions", undefined, { bearer: body.access_token });
    expect(list.sessions).toHaveLength(1);
  });

  it("moves nothing at a refresh", async () => {
    const { body } = await logIn(person);
    for (const name of ["payments", "vault"]) expect(told(await refresh(body.refresh_token, name))).toEqual(TOO_LITTLE);
    const next = await refresh(body.refresh_token);
    expect(next.status).toBe(200);
    expect(told(await refresh(next.body.refresh_token, "payments"))).toEqual(TOO_LITTLE);
  });

  it("uses the code up, and opens no session", async () => {
    const somebody = await newGuardedPerson();
    pass(61_000);
    const code = somebody.codeNow();
    expect(told(await codeFor(await logIn(somebody, "vault"), code))).toEqual(TOO_LITTLE);
    expect(await codeFor(await logIn(somebody), code)).toMatchObject({ status: 401, body: { code: "invalid_code" } });
    const token = await challengeOf(somebody, { bindings });
    const { body } = await recover(token, somebody.recoveryCodes[0], { bindings });
    const { body: list } = await ask("/auth/sessions", undefined, { bearer: body.access_token });
    // That of the enrolment, and this one.
    expect(list.sessions).toHaveLength(2);
  });

  it("takes a recovery code for less than a factor", async () => {
    const somebody = await newGuardedPerson();
    const { body } = await logIn(somebody, "payments");
    const answer = { challenge_token: body.challenge_token, method: "recovery_code", code: somebody.recoveryCodes[0] };
    expect(told(await ask("/auth/2fa/verify", answer))).toEqual(TOO_LITTLE);
  });

  it("is judged again when a session proves itself anew", async () => {
    const somebody = await newGuardedPerson();
    pass(61_000);
    const { body } = await codeFor(await logIn(somebody), somebody.codeNow());
    pass(24 * 3_600_000 - 1_000);
    const kept = await refresh(body.refresh_token);
    pass(2_000);
    const again = await refresh(kept.body.refresh_token, "vault");
    expect(again.body.status).toBe("challenge");
    expect(told(await codeFor(again, somebody.codeNow()))).toEqual(TOO_LITTLE);
    const once = await refresh(kept.body.refresh_token, "payments");
    pass(31_000);
    expect(audienceOf(await codeFor(once, somebody.codeNow()))).toBe("payments");
  });

  it("gets none from a step-up by password", async () => {
    const { body } = await logIn(person);
    const asked = { password: person.password, audience: "payments" };
    expect(told(await ask("/auth/step-up", asked, { bearer: body.access_token }))).toEqual(TOO_LITTLE);
  });

  it("gets none from the factor that an enrolment adds, which counts all the same", async () => {
    const demanding = { ...env, AUDIENCES, SECOND_FACTOR: "required" };
    const somebody = await newPerson();
    const { email, password } = somebody;
    const asked = { email, password, audience: "vault" };
    const { body } = await call("/auth/login", asked, { bindings: demanding });
    const { confirmed } = await addAuthenticator(body.enrolment_token, { bindings: demanding });
    expect(confirmed.body).toMatchObject({ status: "active" });
    expect(confirmed.body).not.toHaveProperty("access_token");
    expect((await logIn(somebody)).body.status).toBe("challenge");
  });
});

describe("an owner whose browser is trusted", () => {
  it("is asked for the factor where the password alone would not do for the service, and at a refresh too", async () => {
    const trusting = { ...env, AUDIENCES, TRUSTED_BROWSER_DAYS: "30" };
    const somebody = await newGuardedPerson();
    const browser = new Browser();
    pass(61_000);
    const { email, password } = somebody;
    const options = { bindings: trusting, browser };
    const first = await call("/auth/login", { email, password }, options);
    const given = { challenge_token: first.body.challenge_token, method: "totp", code: somebody.codeNow() };
    await call("/auth/2fa/verify", { ...given, trust_browser: true }, options);
    expect((await call("/auth/login", { email, password }, options)).body.status).toBe("authenticated");
    expect((await call("/auth/login", { email, password, audience: "payments" }, options)).body.status).toBe(
      "challenge",
    );
    const again = await call("/auth/refresh", { audience: "payments" }, options);
    expect(again.body.status).toBe("challenge");
    pass(31_000);
    const answer = { challenge_token: again.body.challenge_token, method: "totp", code: somebody.codeNow() };
    expect(audienceOf(await call("/auth/2fa/verify", answer, options))).toBe("payments");
  });
});

describe("a password that is right", () => {
  it("is not found out in silence by asking for more than it opens", async () => {
    const somebody = await newPerson();
    await logIn(somebody);
    const told = await mailsBy(somebody, () => logIn(somebody, "payments"));
    expect(told).toHaveLength(1);
    // And he who goes on trying floods nobody.
    const flood = await mailsBy(somebody, async () => {
      for (let tries = 0; tries < 6; tries += 1) await logIn(somebody, "payments");
    });
    expect(flood.length).toBeLessThanOrEqual(SIGN_INS_TOLD - 1);
  });
});

describe("an operator who demands more by now", () => {
  it("gives a changed password no token for that service", async () => {
    const somebody = await newPerson();
    const { body } = await logIn(somebody, "orders");
    const bearer = (await refresh(body.refresh_token, ISSUER)).body.access_token;
    const demanding = { ...env, AUDIENCES: '[{"name":"orders","min_acr":"aal2"}]' };
    const change = { current_password: somebody.password, new_password: "another ordinary long one" };
    const changed = await call("/auth/password/change", change, { bearer, bindings: demanding });
    expect([changed.status, audienceOf(changed)]).toEqual([200, ISSUER]);
  });
});

describe("a service that is gone", () => {
  it("ends no session: the issuer, and any other, can still be asked for", async () => {
    const { body } = await logIn(person, "orders");
    const gone = await refresh(body.refresh_token, undefined, { bindings: without });
    expect(gone).toMatchObject({ status: 400, body: { errors: [{ path: "audience" }] } });
    expect(audienceOf(await refresh(body.refresh_token, ISSUER, { bindings: without }))).toBe(ISSUER);
  });
});
