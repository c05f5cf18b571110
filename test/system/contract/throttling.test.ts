import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  distinguishable,
  expectProblem,
  logIn,
  me,
  newPerson,
  newSource,
  type Person,
  post,
  refreshed,
  sessionOf,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";

/** Failures without a hash: "a malformed body on those routes" counts for the source. */
const fail = async (source: string, headers: Record<string, string> = {}) => {
  const answer = await post("/auth/login", { email: 1 }, { source, headers });
  expect([400, 429]).toContain(answer.status);
};
/** For a count that is settled after the answer. */
const aMoment = () => sleep(100);
const failTimes = async (times: number, source: string) => {
  for (let i = 0; i < times; i++) await fail(source);
  await aMoment();
};
const from = (person: Person, source: string): Person => ({ ...person, source });
const wrongly = (person: Person) => logIn({ ...person, password: "not the password" });
const word = () => randomInt(0x10000).toString(16);

function expectThrottled(answer: Answer, longestWait: number): void {
  expectProblem(answer, 429, "too_many_attempts");
  const wait = answer.headers.get("retry-after") ?? "";
  expect(wait).toMatch(/^[1-9]\d*$/);
  expect(Number(wait)).toBeLessThanOrEqual(longestWait);
  expect(answer.headers.getSetCookie()).toEqual([]);
}

describe("a source", () => {
  let person: Person;
  beforeAll(async () => {
    person = await verifiedPerson();
  });

  it("has twenty failures in ten minutes, then every sign-in is too many attempts, right or wrong, known or unknown", async () => {
    const source = newSource();
    const session = sessionOf(await logIn(from(person, source)));
    await failTimes(19, source);
    expectProblem(await wrongly(newPerson({ source })), 401, "sign_in_failed");
    const answers = [
      await logIn(from(person, source)),
      await wrongly(from(person, source)),
      await logIn(newPerson({ source })),
    ];
    const [right, ...others] = answers.map(withoutWait);
    for (const other of others) expect(other).toEqual(right);
    for (const answer of answers) expectThrottled(answer, 600);
    // The throttle is at the door only: other sources sign in, and a session goes on from where it is.
    expect((await logIn(person)).status).toBe(200);
    expect((await refreshed(session.refresh, { source })).status).toBe(200);
    expect((await me(session.access)).status).toBe(200);
  });

  it("is one bucket whatever forwarding headers the client invents", async () => {
    const source = newSource();
    const spoofed = () => {
      const other = newSource();
      return {
        "x-forwarded-for": other,
        forwarded: `for=${other}`,
        "true-client-ip": other,
        "x-real-ip": other,
        "x-client-ip": other,
      };
    };
    for (let i = 0; i < 20; i++) await fail(source, spoofed());
    await aMoment();
    expectThrottled(await logIn(from(person, source), {}, { headers: spoofed() }), 600);
    expect((await logIn(person, {}, { headers: { "x-forwarded-for": source } })).status).toBe(200);
  });

  it("of IPv6 is its /64, however the address is spelled", async () => {
    const [site, net] = [word(), word()];
    for (let i = 0; i < 7; i++) {
      await fail(`2001:db8:${site}:${net}::${i + 1}`);
      await fail(`2001:0DB8:${site.toUpperCase()}:${net.padStart(4, "0")}:0:0:0:${word()}`);
      await fail(`2001:db8:${site}:${net}:${word()}:${word()}:${word()}:${word()}`);
    }
    await aMoment();
    expectThrottled(await logIn(from(person, `2001:db8:${site}:${net}:ffff::1`)), 600);
    expect(
      (await logIn(from(person, `2001:db8:${site}:${(Number.parseInt(net, 16) ^ 1).toString(16)}::1`))).status,
    ).toBe(200);
  });

  it("of IPv4 is the same inside IPv6", async () => {
    const source = newSource();
    for (let i = 0; i < 10; i++) {
      await fail(source);
      await fail(`::ffff:${source}`);
    }
    await aMoment();
    expectThrottled(await logIn(from(person, source)), 600);
    expectThrottled(await logIn(from(person, `::FFFF:${source}`)), 600);
  });

  it("shares a hundred failures with its /24", async () => {
    const net = newSource().split(".").slice(0, 3).join(".");
    for (let host = 1; host <= 6; host++) {
      await Promise.all(Array.from({ length: host === 6 ? 5 : 19 }, () => fail(`${net}.${host}`)));
    }
    await aMoment();
    expectThrottled(await logIn(from(person, `${net}.77`)), 600);
    expect((await logIn(person)).status).toBe(200);
  });

  it("pays for malformed bodies and wrong links, not for answers to a challenge, refreshes and bearer routes", async () => {
    const [ada, source] = [await twoFactorPerson(), newSource()];
    const challenge = await challenged(from(ada, source));
    for (let i = 0; i < 7; i++) {
      await Promise.all([
        post("/auth/2fa/verify", { challenge_token: "a.b.c", method: "totp", code: "123456" }, { source }),
        refreshed(`rt_${"A".repeat(120)}`, { source }),
        post("/auth/step-up", {}, { source, bearer: "a.b.c" }),
      ]);
    }
    expect(text(await answerChallenge(challenge, await ada.authenticator.next(), { source }), "status")).toBe(
      "authenticated",
    );
    expect((await logIn(from(ada, source))).body.status).toBe("challenge");
    for (let i = 0; i < 20; i++) {
      const answer = await post("/auth/email/verify", { token: 1, password: ada.password }, { source });
      expect([400, 429]).toContain(answer.status);
    }
    expectThrottled(await logIn(from(ada, source)), 600);
  });
});

describe("an address from one source", () => {
  it("has five free failures, then half a minute's wait even for the right password; other sources go on", async () => {
    const [person, source] = [await verifiedPerson(), newSource()];
    for (let i = 0; i < 5; i++) expectProblem(await wrongly(from(person, source)), 401, "sign_in_failed");
    expectThrottled(await logIn(from(person, source)), 30);
    expectThrottled(await wrongly(from(person, source)), 30);
    expect((await logIn(from(person, newSource()))).status).toBe(200);
    expect((await logIn(person)).status).toBe(200);
  });

  it("is throttled alike whether the address is known or not, in any spelling of its case", async () => {
    const [person, source] = [await verifiedPerson(), newSource()];
    const stranger = newPerson({ source: newSource() });
    const answers: Answer[] = [];
    for (const one of [from(person, source), stranger]) {
      for (let i = 0; i < 5; i++) await wrongly(i % 2 === 0 ? one : { ...one, email: one.email.toUpperCase() });
      answers.push(await wrongly(one));
    }
    const [known, unknown] = answers.map(withoutWait);
    expect(unknown).toEqual(known);
    for (const answer of answers) expectThrottled(answer, 30);
  });

  it("is clean again after a success", async () => {
    const [person, source] = [await verifiedPerson(), newSource()];
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 3; i++) expectProblem(await wrongly(from(person, source)), 401, "sign_in_failed");
      expect((await logIn(from(person, source))).status).toBe(200);
    }
  });
});

/** Two refusals a moment apart may name different seconds to wait; everything else must be the same. */
function withoutWait(answer: Answer): unknown {
  const { headers, ...rest } = distinguishable(answer);
  return { ...rest, headers: (headers as [string, string][]).filter(([name]) => name !== "retry-after") };
}
