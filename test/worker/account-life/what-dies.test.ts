import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { sealLink } from "../../../src/tokens/one-time-link.ts";
import {
  type Answer,
  answer,
  call,
  type GuardedPerson,
  logIn,
  newGuardedPerson,
  newPerson,
  type Person,
  refresh,
  ring,
} from "../../support/in-worker.ts";
import { changeGuard, guardOf, sessionIdsOf } from "../support/account.ts";
import {
  cancelDeletion,
  changePassword,
  deleteMe,
  deletionLink,
  finishRecovery,
  freeze,
  freshBearer,
  move,
  moveLink,
  NEW_PASSWORD,
  newAddressOf,
  nextCode,
  noticeOf,
  reset,
  resetLink,
  undoEmail,
  verifyEmail,
  waitForRecovery,
} from "../support/account-life.ts";
import { Browser } from "../support/browser.ts";
import { pass, SECOND, useMovedClock } from "../support/moved-clock.ts";

useMovedClock();

const TRUSTING = { bindings: { ...env, TRUSTED_BROWSER_DAYS: "30" } };
const REQUIRED = { bindings: { ...env, SECOND_FACTOR: "required" } };

/** A change of an account, and who its owner is after it. */
interface Change<P extends Person> {
  /** What comes before everything else; answers what the change needs of it. */
  first?: (person: P) => Promise<{ person?: P; token: string }>;
  make: (person: P, bearer: string, token: string) => Promise<Answer>;
  after: (person: P) => Partial<Person>;
}

const sameAddress = () => ({ password: NEW_PASSWORD });

/** Changes that anybody's account can go through. */
const CHANGES: Record<string, Change<Person>> = {
  "a change of password": { make: (person, bearer) => changePassword(bearer, person.password), after: sameAddress },
  "a change of address": {
    first: async (person) => ({ token: await moveLink(person) }),
    make: (person, _, token) => verifyEmail(token, person.password),
    after: (person) => ({ email: newAddressOf(person) }),
  },
  "an undone change of address": {
    first: async (person) => {
      const { there, undo } = await move(person);
      return { person: there, token: undo };
    },
    make: (_person, _bearer, token) => undoEmail(token),
    after: ({ email }) => ({ email: email.replace("moved.", ""), password: "" }),
  },
  "a freeze": {
    make: async (person) => freeze(await noticeOf(person)),
    after: () => ({ password: "" }),
  },
  "a deletion": {
    make: (_, bearer) => deleteMe(bearer),
    after: () => ({ password: "" }),
  },
};

/** Those that are other for an account with a factor. */
const GUARDED_CHANGES: Record<string, Change<GuardedPerson>> = {
  ...CHANGES,
  "a reset of the password": {
    first: async (person) => ({ token: await resetLink(person) }),
    make: async (person, _, token) => answer((await reset(token)).body.challenge_token, nextCode(person)),
    after: sameAddress,
  },
  "the end of a recovery": {
    make: async (person) => {
      await waitForRecovery(person);
      const { id = "" } = (await guardOf(person)).life.recovery ?? {};
      await changeGuard(person, ({ life }) => {
        if (life.recovery) life.recovery.finishAfter = Date.now();
      });
      const payload = { accountId: person.id, id };
      return finishRecovery(await sealLink(await ring(), "recovery_finish", payload, Date.now() + SECOND));
    },
    after: () => ({}),
  },
};

/** Where somebody else may have been in the account, the browsers of that time are strangers. */
const FORGETS_BROWSERS = ["a freeze", "an undone change of address", "the end of a recovery"];

/** Everything that can be open, or half way, for an account with an authenticator app. */
async function openEverything(person: GuardedPerson, withReset: boolean) {
  const browser = new Browser();
  const first = await logIn(person, { browser, ...TRUSTING });
  const trust = { challenge_token: first.body.challenge_token, method: "totp", trust_browser: true };
  const trusted = await call("/auth/2fa/verify", { ...trust, code: nextCode(person) }, { browser, ...TRUSTING });
  expect(trusted.body.status).toBe("authenticated");
  expect((await logIn(person, { browser, ...TRUSTING })).body.status).toBe("authenticated");
  const session = (await answer((await logIn(person)).body.challenge_token, nextCode(person))).body;
  const challenges = [
    (await logIn(person)).body.challenge_token,
    (await logIn(person, { browser })).body.challenge_token,
    (await call("/auth/step-up", {}, { bearer: session.access_token })).body.challenge_token,
  ];
  // Somebody's reset that waits for its factor.
  if (withReset) challenges.push((await reset(await resetLink(person), "a password of a reset")).body.challenge_token);
  for (const challenge of challenges) expect(challenge).toBeTypeOf("string");
  return { browser, trusted: trusted.body, session, challenges };
}

describe.each(Object.entries(GUARDED_CHANGES))("after %s", (change, { first, make, after }) => {
  it("sessions, challenges and trust are dead, and browsers and factors live on", async () => {
    const owner = await newGuardedPerson();
    const { person = owner, token = "" } = (await first?.(owner)) ?? {};
    const { browser, trusted, session, challenges } = await openEverything(
      person,
      change !== "a reset of the password",
    );
    const made = await make(person, session.access_token as string, token);
    expect(made.status, made.text).toBeLessThan(300);

    for (const bearer of [trusted.access_token, session.access_token]) {
      expect((await call("/auth/me", undefined, { bearer })).status).toBe(401);
    }
    expect((await refresh(undefined, { browser })).status).toBe(401);
    expect((await refresh(session.refresh_token)).status).toBe(401);
    for (const challenge of challenges) {
      expect((await answer(challenge, nextCode(person))).body.code).toBe("invalid_challenge");
    }
    const { browsers, challenges: left, enrolments } = await guardOf(person);
    expect(browsers.map(({ trust }) => trust)).toEqual(FORGETS_BROWSERS.includes(change) ? [] : [undefined]);
    expect([left, enrolments]).toEqual([[], []]);

    const then = { ...person, ...after(person) };
    const next = await logIn(then, { browser, ...TRUSTING });
    if (then.password === "") expect((await logIn(person, { browser, ...TRUSTING })).status).toBe(401);
    else if (change === "the end of a recovery") expect(next.body.code).toBe("proof_required");
    else expect((await answer(next.body.challenge_token, nextCode(person))).body.status).toBe("authenticated");
  });
});

describe.each(Object.entries(CHANGES))("after %s of an account without a factor", (change, { first, make }) => {
  it("its sessions and the way to add a factor are dead", async () => {
    const owner = await newPerson();
    const { person = owner, token = "" } = (await first?.(owner)) ?? {};
    const before = (await logIn(person)).body;
    const bearer = await freshBearer(person);
    const { enrolment_token: enrolment } = (await logIn(person, REQUIRED)).body;
    const pending = await call("/auth/2fa/totp/enroll", {}, { bearer: enrolment });
    expect(pending.status).toBe(201);
    const made = await make(person, bearer, token);
    expect(made.status, made.text).toBeLessThan(300);
    expect((await call("/auth/2fa/totp/enroll", {}, { bearer: enrolment })).body.code).toBe("invalid_challenge");
    const confirmation = { factor_id: pending.body.factor_id, code: "000000" };
    const confirmed = await call("/auth/2fa/totp/confirm", confirmation, { bearer: enrolment });
    expect(confirmed.body.code).toBe("invalid_challenge");
    expect((await refresh(before.refresh_token)).status).toBe(401);
    expect(await sessionIdsOf(person)).toHaveLength(change === "a change of password" ? 1 : 0);
  });
});

describe("the session that changes the password", () => {
  it("goes on under new tokens alone, as fresh as it was, and is in the answer", async () => {
    const person = await newGuardedPerson();
    const session = (await answer((await logIn(person)).body.challenge_token, nextCode(person))).body;
    pass(SECOND);
    const { body } = await changePassword(session.access_token, person.password);
    expect(body.status).toBe("authenticated");
    expect((await refresh(session.refresh_token)).status).toBe(401);
    expect((await call("/auth/me", undefined, { bearer: session.access_token })).status).toBe(401);
    // That was no theft: what goes on has not ended by it.
    const { sessions } = (await call("/auth/sessions", undefined, { bearer: body.access_token })).body;
    expect(sessions).toMatchObject([{ id: body.session_id, current: true }]);
    expect((await call("/auth/export", undefined, { bearer: body.access_token })).status).toBe(200);
    expect((await refresh(body.refresh_token)).body.session_id).toBe(body.session_id);
    const next = await logIn({ ...person, password: NEW_PASSWORD });
    expect((await answer(next.body.challenge_token, nextCode(person))).status).toBe(200);
  });

  it("ends after five wrong passwords, and the password stays", async () => {
    const person = await newPerson();
    const bearer = await freshBearer(person);
    for (let i = 0; i < 5; i += 1) {
      expect((await changePassword(bearer, "not the right password")).body.code).toBe("sign_in_failed");
    }
    expect((await changePassword(bearer, person.password)).body.code).toBe("invalid_token");
    expect((await logIn(person)).status).toBe(200);
  });
});

describe("after a deletion that is called off", () => {
  it("nobody is signed in, and everything works as before", async () => {
    const person = await newGuardedPerson();
    const token = await deletionLink(person);
    expect((await cancelDeletion(token)).text).toBe('{"status":"deletion_cancelled"}');
    expect(await sessionIdsOf(person)).toEqual([]);
    expect((await answer((await logIn(person)).body.challenge_token, nextCode(person))).status).toBe(200);
  });
});
