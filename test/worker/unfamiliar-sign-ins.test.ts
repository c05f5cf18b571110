import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { app } from "../../src/app.ts";
import { ASSERTIONS_FROM_SOURCE } from "../../src/policy.ts";
import {
  answer,
  type Call,
  call,
  challengeOf,
  codeOf,
  ISSUER,
  logIn,
  newGuardedPerson,
  newPerson,
  newSource,
  type Person,
  recover,
  refresh,
} from "../support/in-worker.ts";
import { guardOf } from "./support/account.ts";
import { Browser } from "./support/browser.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { expectNotice, mailsBy, mailsOf, subjectsBy } from "./support/notices.ts";
import { newPasskeyPerson, signInByPasskey } from "./support/passkeys.ts";

useMovedClock();

const NEW_SIGN_IN = /^A new sign-in to your account at /;
const at = () => ({ source: newSource() });

/** A person who has signed in once, from home. */
async function settled(options: Call): Promise<Person> {
  const person = await newPerson();
  expect(await mailsBy(person, () => logIn(person, options))).toEqual([]);
  return person;
}

describe("a sign-in without cookies", () => {
  it("is told once for each new network, never for the first one, and never again from there", async () => {
    const [home, cafe] = [at(), at()];
    const person = await settled(home);
    const told = await expectNotice(person, NEW_SIGN_IN, () => logIn(person, cafe));
    expect(told.text).toContain("from a network that it had not been used from before");
    for (const known of [home, cafe, home]) expect(await mailsBy(person, () => logIn(person, known))).toEqual([]);
  });

  it("from another address of the same network is not told", async () => {
    const home = newSource();
    const person = await settled({ source: home });
    const neighbour = { source: home.replace(/1$/, "77") };
    expect(await mailsBy(person, () => logIn(person, neighbour))).toEqual([]);
  });

  it("that failed tells nobody, and leaves its network unknown", async () => {
    const [home, cafe] = [at(), at()];
    const person = await settled(home);
    expect(await mailsBy(person, () => logIn({ ...person, password: "another long password" }, cafe))).toEqual([]);
    await expectNotice(person, NEW_SIGN_IN, () => logIn(person, cafe));
  });
});

describe("a browser", () => {
  it("that is new is told, and not when it comes again", async () => {
    const [home, browser] = [at(), new Browser()];
    const person = await settled(home);
    const told = await expectNotice(person, NEW_SIGN_IN, () => logIn(person, { ...home, browser }));
    expect(told.text).toContain("in a browser that it had not been used in before");
    expect(await mailsBy(person, () => logIn(person, { ...home, browser }))).toEqual([]);
    const elsewhere = await expectNotice(person, NEW_SIGN_IN, () => logIn(person, { ...at(), browser }));
    expect(elsewhere.text).toContain("from a network that it had not been used from before");
  });

  it("that is new in a network that is new is one mail", async () => {
    const person = await settled(at());
    const told = await expectNotice(person, NEW_SIGN_IN, () => logIn(person, { ...at(), browser: new Browser() }));
    expect(told.text).toContain("in a browser and from a network that it had not been used from before");
  });
});

describe("every way to sign in completely is told", () => {
  it("with a code: at the second door and not at the first", async () => {
    const [home, cafe] = [at(), at()];
    const person = await newGuardedPerson(home);
    expect(await mailsBy(person, () => challengeOf(person, cafe))).toEqual([]);
    const token = await challengeOf(person, cafe);
    await expectNotice(person, NEW_SIGN_IN, () => answer(token, person.codeNow(), cafe));
    expect((await guardOf(person)).networks).toHaveLength(2);
  });

  it("with a recovery code, beside the mail about the code", async () => {
    const person = await newGuardedPerson(at());
    const token = await challengeOf(person);
    const subjects = await subjectsBy(person, () => recover(token, person.recoveryCodes[0]));
    expect(subjects.sort()).toEqual([
      expect.stringMatching(NEW_SIGN_IN),
      expect.stringMatching(/^A recovery code of /),
    ]);
  });

  it("with a passkey alone", async () => {
    const [home, cafe] = [at(), at()];
    const person = await newPasskeyPerson(undefined, home);
    expect(await mailsBy(person, () => signInByPasskey(person.key, home))).toEqual([]);
    await expectNotice(person, NEW_SIGN_IN, () => signInByPasskey(person.key, cafe));
    expect(await mailsBy(person, () => signInByPasskey(person.key, cafe))).toEqual([]);
  });

  it("by a browser's trust", async () => {
    const browser = new Browser();
    const bindings = { ...env, TRUSTED_BROWSER_DAYS: "30" };
    const [home, cafe] = [at(), at()].map((where) => ({ ...where, browser, bindings }));
    const person = await newGuardedPerson(home);
    const challenge_token = await challengeOf(person, home);
    const trusting = { challenge_token, method: "totp", code: person.codeNow(), trust_browser: true };
    await call("/auth/2fa/verify", trusting, home);
    expect(await mailsBy(person, () => logIn(person, home))).toEqual([]);
    await expectNotice(person, NEW_SIGN_IN, () => logIn(person, cafe));
  });

  it("with the first factor where one is demanded, beside the mail about the factor", async () => {
    const person = await settled(at());
    const demanding = { ...at(), bindings: { ...env, SECOND_FACTOR: "required" } };
    const { body } = await logIn(person, demanding);
    const bearer = body.enrolment_token;
    const { factor_id, secret } = (await call("/auth/2fa/totp/enroll", {}, { ...demanding, bearer })).body;
    const confirmation = { factor_id, code: codeOf(secret, Date.now()) };
    const subjects = await subjectsBy(person, () =>
      call("/auth/2fa/totp/confirm", confirmation, { ...demanding, bearer }),
    );
    expect(subjects.sort()).toEqual([
      expect.stringMatching(NEW_SIGN_IN),
      expect.stringMatching(/^A second factor was/),
    ]);
  });
});

describe("what is no sign-in is not told", () => {
  it("a refresh from elsewhere", async () => {
    const person = await newPerson();
    const { body } = await logIn(person);
    expect(await mailsBy(person, () => refresh(body.refresh_token, at()))).toEqual([]);
  });

  it("a passkey whose client is throttled: told when it comes through at last", async () => {
    const person = await newPasskeyPerson();
    const crowded = at();
    const wrong = { ...crowded, edits: { flags: { uv: false } } };
    for (let i = 0; i < ASSERTIONS_FROM_SOURCE; i += 1) await signInByPasskey(person.key, wrong);
    const refused = () => signInByPasskey(person.key, crowded);
    expect(await mailsBy(person, async () => expect((await refused()).status).toBe(429))).toEqual([]);
    pass(601 * SECOND);
    await expectNotice(person, NEW_SIGN_IN, () => signInByPasskey(person.key, crowded));
  });
});

describe("the mail says", () => {
  it("when, the country, region and city, the network and never the address, and which program", async () => {
    const person = await settled(at());
    const context = createExecutionContext();
    const request = new Request(`${ISSUER}/auth/login`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "CF-Connecting-IP": "192.0.2.77", "User-Agent": "Acme/1 <b>" },
      body: JSON.stringify({ email: person.email, password: person.password }),
      cf: {
        country: "PT",
        region: "Lisboa",
        city: "Lisbon",
        continent: "EU",
      } as unknown as IncomingRequestCfProperties,
    });
    expect((await app.fetch(request, env, context)).status).toBe(200);
    await waitOnExecutionContext(context);
    const [mail] = await mailsOf(person);
    const when = new Date().toISOString().slice(0, 16).replace("T", " ");
    const where = "in or near “Lisbon, Lisboa, PT”, from the network 192.0.2.0/24";
    expect(mail?.text).toContain(
      `This happened at ${when} UTC, ${where}, from a program that calls itself “Acme/1 <b>”.`,
    );
    expect(mail?.html).toContain("“Acme/1 &lt;b&gt;”");
    expect(`${mail?.text}${mail?.html}`).not.toContain("192.0.2.77");
  });

  it("nothing of the network or the place where neither is known", async () => {
    const person = await settled(at());
    const [mail] = await mailsBy(person, () => logIn(person, { source: "", headers: { "CF-Connecting-IP": "?" } }));
    expect(mail?.text).toMatch(/This happened at \d{4}-\d\d-\d\d \d\d:\d\d UTC\./);
  });
});

it("the account keeps ten networks as keyed digests, and no address", async () => {
  const person = await newPerson();
  for (let i = 0; i < 11; i += 1) await logIn(person);
  const { networks } = await guardOf(person);
  expect(networks).toHaveLength(10);
  for (const network of networks) expect(network).toMatch(/^[0-9a-f]{32}$/);
});
