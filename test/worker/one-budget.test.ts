import { describe, expect, it } from "vitest";
import { METHOD_FAILURES_MAX } from "../../src/policy.ts";
import {
  type Answer,
  answer,
  call,
  challengeOf,
  logIn,
  newGuardedPerson,
  recover,
  refresh,
  signIn,
} from "../support/in-worker.ts";
import { changeGuard, guardOf } from "./support/account.ts";
import { Browser } from "./support/browser.ts";
import { DAY, MINUTE, pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { type ArmedPerson, answerByPasskey, newArmedPerson, sendAssertion } from "./support/passkeys.ts";
import { enterProofMode, mailedProof, spend } from "./support/proof-mode.ts";

useMovedClock();

const NOT_A_CODE = "0".repeat(24);

/** A right and a wrong answer of each kind. */
const KINDS = {
  totp: {
    right: (person: ArmedPerson, token: unknown) => answer(token, person.codeNow()),
    wrong: (person: ArmedPerson, token: unknown) => answer(token, person.wrongCode()),
  },
  recovery_code: {
    right: (person: ArmedPerson, token: unknown) => recover(token, person.recoveryCodes.pop()),
    wrong: (_: ArmedPerson, token: unknown) => recover(token, NOT_A_CODE),
  },
  passkey: {
    right: ({ key }: ArmedPerson, token: unknown) => answerByPasskey(token, key),
    wrong: async ({ key }: ArmedPerson, token: unknown) =>
      sendAssertion(token, await key.assert({ challenge: "A".repeat(43) })),
  },
} satisfies Record<string, Record<"right" | "wrong", (person: ArmedPerson, token: unknown) => Promise<Answer>>>;
type Kind = keyof typeof KINDS;
const EVERY_KIND = Object.keys(KINDS) as Kind[];

describe("the ten failures of an hour", () => {
  it("are counted over all kinds and challenges, and close codes of the app alone", async () => {
    const person = await newArmedPerson();
    const [a, b, c] = [await challengeOf(person), await challengeOf(person), await challengeOf(person)];
    const remaining: unknown[] = [];
    for (const [kind, token, count] of [
      ["totp", a, 4],
      ["recovery_code", b, 3],
      ["passkey", c, 3],
    ] as const) {
      for (let i = 0; i < count; i += 1) {
        const wrong = await KINDS[kind].wrong(person, token);
        expect(wrong).toMatchObject({ status: 401, body: { code: "invalid_code" } });
        remaining.push(wrong.body.attempts_remaining);
      }
    }
    // The challenge's own until the hour has fewer left. What cannot be guessed goes on at none.
    expect(remaining).toEqual([4, 3, 2, 1, 4, 3, 2, 2, 1, 0]);
    const closed = await KINDS.totp.right(person, a);
    expect(closed).toMatchObject({ status: 429, body: { code: "too_many_attempts" } });
    expect(closed.headers.get("Retry-After")).toBe("3600");
    expect((await KINDS.passkey.right(person, b)).body.status).toBe("authenticated");
    expect((await KINDS.recovery_code.right(person, c)).body.status).toBe("authenticated");
  });

  it.each(["recovery_code", "passkey"] as const)(
    "are not forgiven by a right answer of another kind: %s",
    async (kind) => {
      const person = await newArmedPerson();
      const tokens = [await challengeOf(person), await challengeOf(person), await challengeOf(person)];
      await spend(tokens, 10, person.wrongCode());
      expect((await KINDS[kind].right(person, tokens[2])).status).toBe(200);
      expect((await guardOf(person)).attempts.unrecognised).toHaveLength(10);
      expect((await KINDS.totp.right(person, await challengeOf(person))).status).toBe(429);
    },
  );

  it("do not grow with what is refused: a code that is not looked at costs nothing", async () => {
    const person = await newArmedPerson();
    const tokens = [await challengeOf(person), await challengeOf(person), await challengeOf(person)];
    await spend(tokens, 10, person.wrongCode());
    const { attempts, streaks } = await guardOf(person);
    const tryRight = async () => expect((await KINDS.totp.right(person, tokens[2])).status).toBe(429);
    // That the budget is empty is told once.
    await tryRight();
    const told = await guardOf(person);
    expect({ attempts: told.attempts, streaks: told.streaks }).toEqual({ attempts, streaks });
    for (let i = 0; i < 4; i += 1) await tryRight();
    expect(await guardOf(person)).toEqual(told);
  });

  it("count one wrong and one right answer of the same moment as one", async () => {
    const person = await newGuardedPerson();
    const token = await challengeOf(person);
    await answer(token, person.wrongCode());
    expect((await answer(token, person.codeNow())).status).toBe(200);
    expect((await guardOf(person)).attempts).toEqual({ unrecognised: [Date.now()] });
  });
});

describe("a pot of failures", () => {
  it("of unrecognised browsers leaves recognised ones and proven mailboxes alone", async () => {
    const [person, browser] = [await newArmedPerson(), new Browser()];
    await signIn(person, 0, { browser });
    await enterProofMode(person);
    const proven = await challengeOf(person, { proof: await mailedProof(person) });
    const known = await challengeOf(person, { browser });
    pass(30 * SECOND);
    expect((await answer(known, person.codeNow())).status).toBe(200);
    pass(30 * SECOND);
    expect((await answer(proven, person.codeNow())).status).toBe(200);
    const stranger = await challengeOf(person);
    pass(30 * SECOND);
    expect((await answer(stranger, person.codeNow())).status).toBe(429);
  });

  it("of a recognised browser is its own, and no stranger pushes its challenge out", async () => {
    const [person, first, second] = [await newGuardedPerson(), new Browser(), new Browser()];
    await signIn(person, 0, { browser: first });
    await signIn(person, 1, { browser: second });
    pass(MINUTE);
    await spend([await challengeOf(person, { browser: first })], 5);
    const spent = await challengeOf(person, { browser: first });
    await spend([spent], 4);
    const other = await challengeOf(person, { browser: second });
    for (let i = 0; i < 4; i += 1) await challengeOf(person);
    const stranger = await challengeOf(person);
    expect((await answer(spent, person.wrongCode())).body.attempts_remaining).toBe(0);
    const last = await challengeOf(person, { browser: first });
    expect((await answer(last, person.codeNow())).status).toBe(429);
    expect((await answer(other, person.codeNow())).status).toBe(200);
    pass(30 * SECOND);
    expect((await answer(stranger, person.codeNow())).status).toBe(200);
  });

  it("of proven mailboxes is one for all of them, and has one live challenge", async () => {
    const person = await newArmedPerson();
    await enterProofMode(person);
    const first = await challengeOf(person, { proof: await mailedProof(person) });
    await spend([first], 4);
    const second = await challengeOf(person, { proof: await mailedProof(person) });
    expect((await answer(first, person.wrongCode())).body.code).toBe("invalid_challenge");
    await spend([second], 5);
    const third = await challengeOf(person, { proof: await mailedProof(person) });
    expect((await answer(third, person.wrongCode())).body.attempts_remaining).toBe(0);
    expect((await KINDS.totp.right(person, third)).status).toBe(429);
    expect((await KINDS.recovery_code.right(person, third)).status).toBe(200);
  });

  it("of a session is its own: five wrong answers of any kind end it, and cost nobody else anything", async () => {
    const person = await newArmedPerson();
    const { body } = await refresh(person.refreshToken);
    for (let i = 0; i < 5; i += 1) {
      const asked = await call("/auth/step-up", {}, { bearer: body.access_token });
      const kind = EVERY_KIND[i % 3] as Kind;
      const wrong = await KINDS[kind].wrong(person, asked.body.challenge_token);
      expect(wrong.body).toMatchObject({ code: "invalid_code", attempts_remaining: 4 - i });
    }
    expect((await refresh(body.refresh_token)).body.code).toBe("invalid_refresh_token");
    const { attempts, streaks } = await guardOf(person);
    expect(attempts).toEqual({});
    expect(streaks).toMatchObject({ failures: 0, abandoned: 0 });
    expect((await KINDS.totp.right(person, await challengeOf(person))).status).toBe(200);
  });
});

describe("a hundred failures of one kind in a row", () => {
  it.each(EVERY_KIND)("close it to who is not recognised, until another kind is proven: %s", async (kind) => {
    const person = await newArmedPerson();
    await changeGuard(person, (guard) => {
      guard.streaks.byMethod = { [kind]: METHOD_FAILURES_MAX - 2 };
    });
    const proof = await mailedProof(person);
    const [token, proven] = [await challengeOf(person), await challengeOf(person, { proof })];
    for (let i = 0; i < 2; i += 1) expect((await KINDS[kind].wrong(person, token)).body.code).toBe("invalid_code");
    for (const challenge of [token, proven]) {
      const closed = await KINDS[kind].right(person, challenge);
      expect(closed).toMatchObject({ status: 429, body: { code: "too_many_attempts" } });
      expect(closed.headers.get("Retry-After")).toBe("3600");
    }
    const other = EVERY_KIND[(EVERY_KIND.indexOf(kind) + 1) % 3] as Kind;
    expect((await KINDS[other].right(person, token)).status).toBe(200);
    pass(30 * SECOND);
    expect((await KINDS[kind].right(person, proven)).status).toBe(200);
  });

  it("are counted over challenges and days, from strangers and from proven mailboxes", async () => {
    const person = await newArmedPerson();
    const challenges = [await challengeOf(person), await challengeOf(person), await challengeOf(person)];
    for (let failures = 0; failures < METHOD_FAILURES_MAX; failures += 5) {
      if (challenges.length === 0) {
        pass(DAY / 10);
        challenges.push(await challengeOf(person, { proof: await mailedProof(person) }));
      }
      const token = challenges.shift();
      for (let i = 0; i < 5; i += 1) {
        expect((await KINDS.recovery_code.wrong(person, token)).body.code).toBe("invalid_code");
      }
    }
    const last = await challengeOf(person, { proof: await mailedProof(person) });
    expect((await KINDS.recovery_code.right(person, last)).status).toBe(429);
    expect((await KINDS.totp.right(person, last)).status).toBe(200);
  });

  it("are not those of a recognised browser, to which no kind is closed and which opens it for all", async () => {
    const [person, browser] = [await newArmedPerson(), new Browser()];
    await signIn(person, 0, { browser });
    await changeGuard(person, (guard) => {
      guard.streaks.byMethod = { recovery_code: METHOD_FAILURES_MAX - 1 };
    });
    const token = await challengeOf(person);
    for (let i = 0; i < 5; i += 1) {
      const known = await challengeOf(person, { browser });
      expect((await KINDS.recovery_code.wrong(person, known)).body.code).toBe("invalid_code");
    }
    expect((await KINDS.recovery_code.wrong(person, token)).body.code).toBe("invalid_code");
    expect((await KINDS.recovery_code.right(person, token)).status).toBe(429);
    const known = await challengeOf(person, { browser });
    expect((await KINDS.recovery_code.right(person, known)).status).toBe(200);
    expect((await KINDS.recovery_code.right(person, token)).status).toBe(200);
  });

  it("are none with a right answer between them", async () => {
    const person = await newArmedPerson();
    await changeGuard(person, (guard) => {
      guard.streaks.byMethod = { totp: METHOD_FAILURES_MAX - 1 };
    });
    const [token, other] = [await challengeOf(person), await challengeOf(person)];
    expect((await KINDS.totp.right(person, token)).status).toBe(200);
    expect((await KINDS.totp.wrong(person, other)).status).toBe(401);
    pass(30 * SECOND);
    expect((await KINDS.totp.right(person, other)).status).toBe(200);
  });

  it("do not stop a session's own step-up, which ends the row", async () => {
    const person = await newArmedPerson();
    const { body } = await refresh(person.refreshToken);
    await changeGuard(person, (guard) => {
      guard.streaks.byMethod = { totp: METHOD_FAILURES_MAX };
    });
    expect((await KINDS.totp.right(person, (await logIn(person)).body.challenge_token)).status).toBe(429);
    const asked = await call("/auth/step-up", {}, { bearer: body.access_token });
    expect((await KINDS.totp.right(person, asked.body.challenge_token)).status).toBe(200);
    expect((await guardOf(person)).streaks.byMethod).toEqual({});
  });
});
