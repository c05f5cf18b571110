import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import {
  answer,
  call,
  challengeOf,
  claimsOf,
  codeOf,
  type GuardedPerson,
  logIn,
  newGuardedPerson,
  newPerson,
  refresh,
  signIn,
} from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { DAY, HOUR, MINUTE, pass, SECOND, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

/** Both doors, with the code of the present. */
async function signInNow(person: GuardedPerson) {
  return answer(await challengeOf(person), person.codeNow());
}

describe("a challenge", () => {
  it.each([
    { ms: 5 * MINUTE - 1, outcome: 200 },
    { ms: 5 * MINUTE, outcome: 401 },
  ])("answered after $ms ms is $outcome", async ({ ms, outcome }) => {
    const person = await newGuardedPerson();
    const token = (await logIn(person)).body.challenge_token as string;
    pass(ms);
    expect((await answer(token, person.codeNow())).status).toBe(outcome);
  });
});

describe("the second-factor budget", () => {
  it("frees an attempt when the oldest failure is an hour old, and not before", async () => {
    const person = await newGuardedPerson();
    // A browser that is recognised: any other would have to prove the mailbox after ten wrong codes.
    const browser = new Browser();
    expect((await signIn(person, 0, { browser })).status).toBe(200);
    for (let i = 0; i < 2; i += 1) {
      const token = await challengeOf(person, { browser });
      for (let k = 0; k < 5; k += 1) expect((await answer(token, "000000")).body.code).toBe("invalid_code");
    }
    pass(HOUR - 1);
    const token = await challengeOf(person, { browser });
    const refused = await answer(token, person.codeNow());
    expect(refused).toMatchObject({ status: 429, body: { code: "too_many_attempts" } });
    expect(refused.headers.get("Retry-After")).toBe("1");
    pass(1);
    expect((await answer(token, person.codeNow())).status).toBe(200);
  });

  it("is not refilled by a right code: the failures of the hour go on counting", async () => {
    const person = await newGuardedPerson();
    const tokens = [await challengeOf(person), await challengeOf(person)];
    for (let i = 0; i < 9; i += 1) await answer(tokens[i % 2], "000000");
    expect((await signIn(person, 0)).status).toBe(200);
    const token = await challengeOf(person);
    expect((await answer(token, "000000")).body).toMatchObject({ code: "invalid_code", attempts_remaining: 0 });
    expect((await answer(token, person.code(1))).status).toBe(429);
  });
});

describe("a pending authenticator", () => {
  it.each([
    { ms: 10 * MINUTE - 1, outcome: 200 },
    { ms: 10 * MINUTE, outcome: 404 },
  ])("confirmed after $ms ms is $outcome", async ({ ms, outcome }) => {
    const person = await newPerson();
    let { access_token: bearer, refresh_token } = (await logIn(person)).body;
    const { body } = await call("/auth/2fa/totp/enroll", {}, { bearer });
    pass(ms);
    ({ access_token: bearer, refresh_token } = (await refresh(refresh_token)).body);
    const code = codeOf(body.secret, Date.now());
    const confirmed = await call("/auth/2fa/totp/confirm", { factor_id: body.factor_id, code }, { bearer });
    expect(confirmed.status).toBe(outcome);
  });
});

describe("a fresh proof", () => {
  it("is 300 seconds of the password where there is no factor, and a refresh does not renew it", async () => {
    const person = await newPerson();
    const { refresh_token } = (await logIn(person)).body;
    pass(301 * SECOND);
    const { access_token: bearer } = (await refresh(refresh_token)).body;
    const stale = await call("/auth/2fa/totp/enroll", {}, { bearer });
    expect(stale).toMatchObject({ status: 401, body: { code: "insufficient_user_authentication" } });
    expect(stale.headers.get("WWW-Authenticate")).toBe(
      'Bearer error="insufficient_user_authentication", acr_values="aal1", max_age=300',
    );
    const stepped = await call("/auth/step-up", { password: person.password }, { bearer });
    expect(Object.keys(stepped.body).sort()).toEqual([
      "access_token",
      "expires_in",
      "session_id",
      "status",
      "token_type",
    ]);
    expect((await call("/auth/2fa/totp/enroll", {}, { bearer: stepped.body.access_token })).status).toBe(201);
  });

  it("is the second factor where there is one: the password alone never makes a session fresh", async () => {
    const person = await newGuardedPerson();
    const { refresh_token } = (await signIn(person, 0)).body;
    pass(301 * SECOND);
    const { access_token: bearer } = (await refresh(refresh_token)).body;
    const stale = await call("/auth/2fa/totp/enroll", {}, { bearer });
    expect(stale.headers.get("WWW-Authenticate")).toContain('acr_values="aal2", max_age=300');
    const challenge = await call("/auth/step-up", { password: person.password }, { bearer });
    expect(challenge.body.status).toBe("challenge");
    const stepped = await answer(challenge.body.challenge_token as string, person.codeNow());
    expect(stepped.body.refresh_token).toBeUndefined();
    expect((await call("/auth/2fa/totp/enroll", {}, { bearer: stepped.body.access_token })).status).toBe(201);
  });
});

describe("a session", () => {
  it("ends after its idle time", async () => {
    const { refresh_token } = (await logIn(await newPerson())).body;
    pass(DAY);
    expect((await refresh(refresh_token)).status).toBe(401);
  });

  it("that has run out takes its open challenge with it: the right code raises nothing", async () => {
    const bindings = { ...env, SESSION_IDLE: "60" };
    const person = await newGuardedPerson();
    const bearer = (await signIn(person, 0, { bindings })).body.access_token as string;
    const { body } = await call("/auth/step-up", {}, { bearer, bindings });
    pass(61 * SECOND);
    const late = await answer(body.challenge_token as string, person.codeNow(), { bindings });
    expect(late).toMatchObject({ status: 401, body: { code: "invalid_challenge" } });
  });

  it("goes on while it is used, and never past its absolute end", async () => {
    let { refresh_token, refresh_expires_in } = (await logIn(await newPerson())).body;
    for (let days = 1; days < 14; days += 1) {
      expect(refresh_expires_in).toBe(86_400);
      pass(DAY - 1);
      const { status, body } = await refresh(refresh_token);
      expect(status).toBe(200);
      ({ refresh_token, refresh_expires_in } = body);
    }
    pass(DAY - 1);
    const last = await refresh(refresh_token);
    expect(last.status).toBe(200);
    expect(last.body.refresh_expires_in).toBe(0);
    pass(14);
    expect((await refresh(last.body.refresh_token)).status).toBe(401);
  });

  it("lives longer when it is to be remembered, in the standard profile alone", async () => {
    const person = await newPerson();
    const remembered = await logIn(person, { remember: true });
    expect(remembered.body.refresh_expires_in).toBe(14 * 86_400);
    const nist = { ...env, PROFILE: "nist" };
    expect((await logIn(person, { remember: true, bindings: nist })).body.refresh_expires_in).toBe(3_600);
  });

  it("makes room for the twenty-first by ending the oldest", async () => {
    const person = await newPerson();
    const tokens: string[] = [];
    for (let i = 0; i < 21; i += 1) {
      pass(1);
      tokens.push((await logIn(person)).body.refresh_token as string);
    }
    expect((await refresh(tokens[0])).status).toBe(401);
    expect((await refresh(tokens[1])).status).toBe(200);
    expect((await refresh(tokens[20])).status).toBe(200);
  });
});

describe("a refresh token of the generation before", () => {
  it.each([
    { ms: 10 * SECOND - 1, what: "is a retry and gets the same successor again" },
    { ms: 0, what: "is a retry and gets the same successor again" },
  ])("after $ms ms $what", async ({ ms }) => {
    const first = (await logIn(await newPerson())).body.refresh_token;
    const second = (await refresh(first)).body.refresh_token;
    pass(ms);
    expect((await refresh(first)).body.refresh_token).toBe(second);
    expect((await refresh(second)).status).toBe(200);
  });

  it("after ten seconds is lost, and the session with it", async () => {
    const first = (await logIn(await newPerson())).body.refresh_token;
    const second = (await refresh(first)).body.refresh_token;
    pass(10 * SECOND);
    expect((await refresh(first)).status).toBe(401);
    expect((await refresh(second)).status).toBe(401);
  });

  it("once its successor was used is theft, even within ten seconds: the session ends", async () => {
    const first = (await logIn(await newPerson())).body.refresh_token;
    const second = (await refresh(first)).body.refresh_token;
    const third = (await refresh(second)).body;
    expect((await refresh(first)).status).toBe(401);
    expect((await refresh(third.refresh_token)).status).toBe(401);
    expect((await call("/auth/me", undefined, { bearer: third.access_token })).status).toBe(401);
  });
});

it("an access token ends with its session at the latest, since nobody would tell other services", async () => {
  const person = await newPerson();
  const { body } = await logIn(person);
  pass(DAY - 10 * SECOND);
  let last = await refresh(body.refresh_token);
  for (let day = 1; day < 14; day += 1) {
    pass(DAY - 10 * SECOND);
    last = await refresh(last.body.refresh_token);
  }
  expect(last.body).toMatchObject({ expires_in: 140, refresh_expires_in: 140 });
  const { iat, exp } = claimsOf(last.body.access_token) as Record<string, number>;
  expect(Number(exp) - Number(iat)).toBe(140);
  const asked = { password: person.password };
  const stepped = await call("/auth/step-up", asked, { bearer: last.body.access_token });
  expect(stepped.body.expires_in).toBe(140);
});

describe("the periodic proof of the second factor", () => {
  let person: GuardedPerson;
  let token: unknown;

  beforeEach(async () => {
    person = await newGuardedPerson();
    token = (await signIn(person, 0, { remember: true })).body.refresh_token;
    pass(DAY + SECOND);
  });

  it("turns a refresh into a challenge, of which nothing of the session has moved", async () => {
    const asked = await refresh(token);
    expect(Object.keys(asked.body).sort()).toEqual(["challenge_token", "expires_in", "methods", "status"]);
    expect(asked.body.status).toBe("challenge");
    expect((await refresh(token)).body.status).toBe("challenge");
  });

  it("lets the session go on with new proof and the next generation", async () => {
    const { body } = await refresh(token);
    const proven = await answer(body.challenge_token as string, person.codeNow());
    expect(proven.status).toBe(200);
    const me = await call("/auth/me", undefined, { bearer: proven.body.access_token });
    expect(me.body).toMatchObject({ acr: "aal2", amr: ["pwd", "otp", "mfa"] });
    expect(Date.parse(me.body.auth_time as string)).toBe(Math.floor(Date.now() / 1000) * 1000);
    expect((await refresh(proven.body.refresh_token)).body.status).toBe("authenticated");
    expect((await refresh(token)).status).toBe(401);
  });

  it("has a pot of five wrong codes over all its challenges, then the session ends", async () => {
    for (let i = 0; i < 5; i += 1) {
      const { body } = await refresh(token);
      expect((await answer(body.challenge_token as string, "000000")).body.attempts_remaining).toBe(4 - i);
    }
    expect((await refresh(token)).body.code).toBe("invalid_refresh_token");
    expect((await signInNow(person)).status).toBe(200);
  });
});
