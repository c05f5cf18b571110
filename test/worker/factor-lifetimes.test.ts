import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import {
  addAuthenticator,
  answer,
  call,
  challengeOf,
  codeOf,
  logIn,
  newGuardedPerson,
  newPerson,
  refresh,
  signIn,
} from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { DAY, HOUR, MINUTE, pass, useMovedClock } from "./support/moved-clock.ts";
import {
  type ArmedPerson,
  creationOptions,
  newArmedPerson,
  signInByPasskey,
  signInOptions,
  syncedPasskey,
} from "./support/passkeys.ts";
import { enterProofMode, isProofMode, mailedProof, newestProof } from "./support/proof-mode.ts";

useMovedClock();

/** The last moment at which something is still good, and the first at which it is not. */
const edge = (ms: number, inTime: number, late: number) => [
  { ms: ms - 1, outcome: inTime },
  { ms, outcome: late },
];

describe("the registration of a passkey", () => {
  it.each(edge(5 * MINUTE, 201, 400))("finished after $ms ms is $outcome", async ({ ms, outcome }) => {
    const bearer = (await logIn(await newPerson())).body.access_token;
    const response = await syncedPasskey().register(await creationOptions(bearer));
    pass(ms);
    const finished = await call("/auth/2fa/passkeys", { response }, { bearer });
    expect(finished.status).toBe(outcome);
    if (outcome !== 201) expect(finished.body.code).toBe("invalid_request");
  });
});

describe("an enrolment token", () => {
  const required = { bindings: { ...env, SECOND_FACTOR: "required" } };

  it.each(edge(10 * MINUTE, 200, 401))("used after $ms ms is $outcome", async ({ ms, outcome }) => {
    const bearer = (await logIn(await newPerson(), required)).body.enrolment_token;
    pass(2 * MINUTE);
    const { body } = await call("/auth/2fa/totp/enroll", {}, { bearer });
    pass(ms - 2 * MINUTE);
    const code = codeOf(body.secret, Date.now());
    const confirmed = await call("/auth/2fa/totp/confirm", { factor_id: body.factor_id, code }, { bearer });
    expect(confirmed.status).toBe(outcome);
    if (outcome !== 200) expect(confirmed.body.code).toBe("invalid_challenge");
  });
});

describe("a username-less challenge", () => {
  it.each(edge(5 * MINUTE, 200, 401))("answered after $ms ms is $outcome", async ({ ms, outcome }) => {
    const { key } = await newArmedPerson();
    const response = await key.assert(await signInOptions());
    pass(ms);
    expect((await call("/auth/passkey/verify", { response })).status).toBe(outcome);
  });

  it("that was answered stays used for as long as it could live", async () => {
    const { key } = await newArmedPerson();
    const response = await key.assert(await signInOptions());
    expect((await call("/auth/passkey/verify", { response })).status).toBe(200);
    for (const ms of [0, 2 * MINUTE, 3 * MINUTE - 1, 1]) {
      pass(ms);
      expect((await signInByPasskey(key)).status).toBe(200);
      expect((await call("/auth/passkey/verify", { response })).body.code).toBe("invalid_code");
    }
  });
});

describe("a mailed proof", () => {
  it.each(edge(15 * MINUTE, 200, 400))("shown after $ms ms is $outcome", async ({ ms, outcome }) => {
    const person = await newGuardedPerson();
    await enterProofMode(person);
    const proof = await mailedProof(person);
    pass(ms);
    const shown = await logIn(person, { proof });
    expect(shown.status).toBe(outcome);
    expect(shown.body).toMatchObject(outcome === 200 ? { status: "challenge" } : { code: "invalid_link" });
  });

  it("is mailed three times in ten minutes, and then one of the three is still good", async () => {
    const person = await newGuardedPerson();
    const tokens = new Set<string>();
    for (let i = 0; i < 3; i += 1) tokens.add(await mailedProof(person));
    const third = await newestProof(person);
    pass(10 * MINUTE - 1);
    expect(await mailedProof(person)).toBe(third);
    expect((await logIn(person, { proof: third })).body.status).toBe("challenge");
    pass(1);
    expect(tokens.has(await mailedProof(person))).toBe(false);
  });
});

describe("a trusted browser", () => {
  const bindings = { ...env, TRUSTED_BROWSER_DAYS: "30" };
  let person: ArmedPerson;
  let browser: Browser;
  beforeEach(async () => {
    [person, browser] = [await newArmedPerson(), new Browser()];
    const challenge_token = await challengeOf(person, { browser, bindings });
    const trusting = { challenge_token, method: "totp", code: person.codeNow(), trust_browser: true };
    expect((await call("/auth/2fa/verify", trusting, { browser, bindings })).status).toBe(200);
  });

  it("is not asked for thirty days, and not a moment longer, however often it is used", async () => {
    for (let day = 10; day < 30; day += 10) {
      pass(10 * DAY);
      expect((await logIn(person, { browser, bindings })).body.status).toBe("authenticated");
    }
    pass(10 * DAY - 1);
    expect((await logIn(person, { browser, bindings })).body.status).toBe("authenticated");
    pass(1);
    expect((await logIn(person, { browser, bindings })).body.status).toBe("challenge");
  });

  it("has sessions that are asked when its trust is over, and then go on", async () => {
    pass(30 * DAY - HOUR);
    await logIn(person, { browser, bindings });
    pass(HOUR - 1);
    expect((await refresh(undefined, { browser, bindings })).body.status).toBe("authenticated");
    pass(1);
    const asked = await refresh(undefined, { browser, bindings });
    expect(asked.body.status).toBe("challenge");
    expect((await answer(asked.body.challenge_token, person.codeNow(), { browser })).status).toBe(200);
    expect((await refresh(undefined, { browser, bindings })).body.status).toBe("authenticated");
  });

  it("is asked again as soon as a factor changes, and its session with it", async () => {
    await logIn(person, { browser, bindings });
    const trusting = browser.cookies.get("__Host-sallyport_tb");
    const session = (await signInByPasskey(person.key)).body;
    await addAuthenticator(session.access_token);
    expect((await refresh(undefined, { browser, bindings })).status).toBe(401);
    expect(browser.cookies.get("__Host-sallyport_tb")).toBe(trusting);
    expect((await logIn(person, { browser, bindings })).body.status).toBe("challenge");
  });
});

describe("a recognised browser", () => {
  it.each([
    { ms: 180 * DAY - 1, what: "is", asked: false },
    { ms: 180 * DAY, what: "is not", asked: true },
  ])("$what recognised after $ms ms", async ({ ms, asked }) => {
    const [person, browser] = [await newGuardedPerson(), new Browser()];
    await signIn(person, 0, { browser });
    pass(ms);
    await enterProofMode(person);
    expect((await logIn(person, { browser })).body.code === "proof_required").toBe(asked);
  });

  it("begins anew with every complete sign-in", async () => {
    const [person, browser] = [await newGuardedPerson(), new Browser()];
    await signIn(person, 0, { browser });
    pass(100 * DAY);
    expect((await answer(await challengeOf(person, { browser }), person.codeNow(), { browser })).status).toBe(200);
    pass(100 * DAY);
    await enterProofMode(person);
    expect((await logIn(person, { browser })).body.status).toBe("challenge");
    expect(await isProofMode(person)).toBe(true);
  });
});
