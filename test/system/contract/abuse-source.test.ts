import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { Browser } from "../../support/browser.ts";
import {
  type Answer,
  distinguishable,
  expectProblem,
  logIn,
  newPerson,
  newSource,
  type Person,
  post,
  registered,
  verifiedPerson,
} from "../../support/client.ts";
import { startRecovery } from "../../support/life-client.ts";
import { passkeyPerson, verifyPasskey } from "../../support/passkey-client.ts";

const from = <P extends Person>(person: P, source: string): P => ({ ...person, source });
const wrongly = (person: Person) => logIn({ ...person, password: "not the password" });
/** For a count that is settled after the answer. */
const aMoment = () => sleep(100);
/** Failures of a source that are nobody's: "a malformed body on those routes" costs no hash. */
const failTimes = async (times: number, source: string) => {
  for (let i = 0; i < times; i++) await post("/auth/login", { email: 1 }, { source });
  await aMoment();
};
const word = () => randomInt(0x1000, 0x10000).toString(16);

/** Asserts the throttle's answer; gives the seconds to wait. */
function expectThrottled(answer: Answer): number {
  expectProblem(answer, 429, "too_many_attempts");
  expect(Object.keys(answer.body).sort()).toEqual(["code", "request_id", "status", "title", "type"]);
  expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  expect(answer.headers.getSetCookie()).toEqual([]);
  return Number(answer.headers.get("retry-after"));
}

describe.concurrent("failures of one source", () => {
  let person: Person;
  beforeAll(async () => {
    person = await verifiedPerson();
  });

  it("are counted whatever they were at: password, unknown address, link, recovery, shape", async () => {
    const source = newSource();
    const token = await registered(newPerson());
    for (let i = 0; i < 4; i++) {
      await wrongly(from(newPerson(), source));
      await wrongly(newPerson({ email: person.email, source }));
      await post("/auth/email/verify", { token, password: "not the password" }, { source });
      await startRecovery(newPerson({ source }), { source });
      await post("/auth/recovery/start", { email: 1 }, { source });
    }
    await aMoment();
    expect(expectThrottled(await logIn(from(person, source)))).toBeLessThanOrEqual(600);
  });

  it("are not refunded by successes from the same source", async () => {
    const source = newSource();
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 5; i++) {
        const answer = await wrongly(newPerson({ source }));
        expect(answer.status, answer.text).toBe(401);
      }
      const answer = await logIn(from(person, source));
      if (round < 3) expect(answer.status, answer.text).toBe(200);
      else expectThrottled(answer);
      await aMoment();
    }
  });

  it("close sign-in for a while that is named, the same for right, wrong and unknown", async () => {
    const source = newSource();
    const others = await verifiedPerson();
    await failTimes(20, source);
    const answers = [
      await logIn(from(person, source)),
      await wrongly(from(others, source)),
      await logIn(newPerson({ source })),
    ];
    const waits = answers.map(expectThrottled);
    expect(Math.max(...waits)).toBeLessThanOrEqual(600);
    expect(Math.min(...waits)).toBeGreaterThan(540);
    const bare = (answer: Answer) => {
      const { headers, ...rest } = distinguishable(answer);
      return { ...rest, headers: (headers as [string, string][]).filter(([name]) => name !== "retry-after") };
    };
    for (const answer of answers) expect(bare(answer)).toEqual(bare(answers[0] as Answer));
  });

  it("do not refuse a recognised browser at that address", async () => {
    const browser = new Browser();
    expect((await browser.logIn(person)).body.status).toBe("authenticated");
    browser.forgetSession();
    await failTimes(20, browser.source);
    expectThrottled(await new Browser(browser.source).logIn(person));
    expect((await browser.logIn(person)).body.status).toBe("authenticated");
  });

  it("at passwords do not refuse a passkey that is right", async () => {
    const owner = await passkeyPerson();
    const source = newSource();
    await failTimes(20, source);
    expectThrottled(await logIn(from(owner, source)));
    const options = await post("/auth/passkey/options", {}, { source });
    expect(options.status, options.text).toBe(200);
    const response = await owner.passkey.assert(options.body as never);
    const answer = await verifyPasskey(response, {}, { source });
    expect(answer.body.status, answer.text).toBe("authenticated");
  });

  it("belong to CF-Connecting-IP, whatever another header says", async () => {
    const [source, innocent] = [newSource(), newSource()];
    const names = [
      "x-forwarded-for",
      "true-client-ip",
      "x-real-ip",
      "x-client-ip",
      "x-cluster-client-ip",
      "cf-connecting-ipv6",
      "cf-pseudo-ipv4",
      "fastly-client-ip",
    ];
    const claims = (address: () => string) => ({
      ...Object.fromEntries(names.map((name) => [name, address()])),
      forwarded: `for=${address()};proto=https;host=localhost`,
    });
    for (let i = 0; i < 20; i++)
      await post("/auth/login", { email: 1 }, { source, headers: claims(i % 2 === 0 ? newSource : () => innocent) });
    await aMoment();
    for (const headers of [{}, claims(newSource), claims(() => innocent)])
      expectThrottled(await logIn(from(person, source), {}, { headers }));
    expect((await logIn(from(person, innocent), {}, { headers: claims(() => source) })).status).toBe(200);
  });

  it("are those of a /64 in every spelling of it, and of no other", async () => {
    const [site, net] = [word(), word()];
    const spellings = (i: number) => [
      `2001:db8:${site}:${net}::${i + 1}`,
      `2001:0DB8:${site.toUpperCase()}:${net.toUpperCase()}:0000:0000:0000:${word()}`,
      `2001:db8:${site}:${net}:0:0:0:${i.toString(16)}`,
      `2001:db8:${site}:${net}:${word()}::${word()}`,
      `2001:0db8:${site}:${net}:0:0:192.0.2.${i + 1}`,
    ];
    for (let i = 0; i < 4; i++) for (const source of spellings(i)) await failTimes(1, source);
    expectThrottled(await logIn(from(person, `2001:db8:${site}:${net}:ffff:ffff:ffff:ffff`)));
    const next = (Number.parseInt(net, 16) ^ 1).toString(16);
    expect((await logIn(from(person, `2001:db8:${site}:${next}::1`))).status).toBe(200);
  });

  it("are a hundred for a whole /48 of IPv6", async () => {
    const site = word();
    for (let net = 1; net <= 6; net++) {
      const times = net === 6 ? 5 : 19;
      await Promise.all(Array.from({ length: times }, (_, i) => failTimes(1, `2001:db8:${site}:${net}::${i + 1}`)));
    }
    expectThrottled(await logIn(from(person, `2001:db8:${site}:77::1`)));
    const next = (Number.parseInt(site, 16) ^ 1).toString(16);
    expect((await logIn(from(person, `2001:db8:${next}:77::1`))).status).toBe(200);
  });
});

describe.concurrent("failures of one address from one source", () => {
  it("wait half a minute after the fifth, and a whole one after the sixth, known or not", {
    timeout: 90_000,
  }, async () => {
    const people = [await verifiedPerson(), newPerson()].map((person) => from(person, newSource()));
    for (const person of people) {
      for (let i = 0; i < 5; i++) expectProblem(await wrongly(person), 401, "sign_in_failed");
    }
    await aMoment();
    for (const person of people) {
      for (const one of [logIn, wrongly]) {
        const wait = expectThrottled(await one(person));
        expect(wait).toBeLessThanOrEqual(30);
        expect(wait).toBeGreaterThan(20);
      }
    }
    await sleep(30_500);
    for (const person of people) expectProblem(await wrongly(person), 401, "sign_in_failed");
    await aMoment();
    for (const person of people) {
      const wait = expectThrottled(await wrongly(person));
      expect(wait).toBeLessThanOrEqual(60);
      expect(wait).toBeGreaterThan(45);
    }
  });
});
