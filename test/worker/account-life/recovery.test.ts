import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { APPOINTMENT_RETRY_MS } from "../../../src/policy.ts";
import {
  addAuthenticator,
  answer,
  call,
  challengeOf,
  type GuardedPerson,
  logIn,
  newGuardedPerson,
  newPerson,
  recover,
  refresh,
} from "../../support/in-worker.ts";
import { sessionIdsOf } from "../support/account.ts";
import {
  cancelRecovery,
  confirmRecovery,
  finishRecovery,
  linksTo,
  linkTo,
  nextCode,
  recoveryLink,
  signInNow,
  startRecovery,
  subjectsTo,
  waitForRecovery,
} from "../support/account-life.ts";
import { brokenAt } from "../support/broken-stores.ts";
import { Browser } from "../support/browser.ts";
import { DAY, HOUR, MINUTE, pass, SECOND, useMovedClock } from "../support/moved-clock.ts";
import { runMinute } from "../support/operations.ts";
import { newPasskeyPerson, signInByPasskey } from "../support/passkeys.ts";
import { mailedProof } from "../support/proof-mode.ts";

useMovedClock();

const isOver = async (person: GuardedPerson) => {
  const before = linksTo(person.email, "finish-recovery").length;
  pass(3 * DAY);
  await runMinute();
  return linksTo(person.email, "finish-recovery").length === before;
};
const ownersOf = ({ id }: { id: string }) =>
  env.DB.prepare("SELECT COUNT(*) AS n FROM passkey_owners WHERE user_id = ?").bind(id).first("n");
const appointmentsOf = ({ id }: { id: string }) =>
  env.DB.prepare("SELECT kind FROM appointments WHERE user_id = ?").bind(id).all();

describe("a recovery that nobody calls off", () => {
  it("waits, says so every day and in every answer, and ends with a new factor before anything else", async () => {
    const person = await newGuardedPerson();
    expect((await startRecovery(person)).text).toBe('{"status":"recovery_sent"}');
    const started = await confirmRecovery(linkTo(person.email, "confirm-recovery"));
    const finish_after = new Date(Date.now() + 72 * HOUR).toISOString();
    expect(started.text).toBe(JSON.stringify({ status: "recovery_started", finish_after }));

    // The session that was open before goes on, and hears of it.
    const recovery = { finish_after };
    const renewed = await refresh(person.session.refresh_token);
    expect(renewed.body.recovery).toEqual(recovery);
    const me = await call("/auth/me", undefined, { bearer: renewed.body.access_token });
    expect(me.body.recovery).toEqual(recovery);

    for (const day of [1, 2]) {
      pass(DAY - MINUTE);
      await runMinute();
      expect(linksTo(person.email, "cancel-recovery")).toHaveLength(day);
      pass(MINUTE);
      await Promise.all([runMinute(), runMinute()]);
      expect(linksTo(person.email, "cancel-recovery")).toHaveLength(day + 1);
    }
    pass(DAY - 1);
    await runMinute();
    expect(linksTo(person.email, "finish-recovery")).toEqual([]);
    pass(1);
    await runMinute();
    pass(MINUTE);
    await runMinute();
    expect(linksTo(person.email, "finish-recovery")).toHaveLength(1);
    // The factors still stand between the password and the account.
    expect((await logIn(person)).body.status).toBe("challenge");

    const finished = await finishRecovery(linkTo(person.email, "finish-recovery"));
    expect(finished.text).toBe('{"status":"factors_removed"}');
    expect(await sessionIdsOf(person)).toEqual([]);
    expect((await refresh(renewed.body.refresh_token)).status).toBe(401);
    // Whoever enrols now has shown once more to read the mailbox.
    expect((await logIn(person)).body).toMatchObject({ code: "proof_required", methods: ["mail_link"] });
    const next = await logIn(person, { proof: await mailedProof(person) });
    expect(next.body).toMatchObject({ status: "enrolment_required", methods: ["totp", "passkey"] });
    expect(next.text).not.toMatch(/access_token|refresh_token/);
    const added = await addAuthenticator(next.body.enrolment_token);
    expect(added.recoveryCodes).toHaveLength(10);
    expect(added.confirmed.body).not.toHaveProperty("recovery");
    // From then on it is an account like any other.
    expect((await answer(await challengeOf(person), person.codeNow())).status).toBe(401);
    pass(30 * SECOND);
    expect((await answer(await challengeOf(person), added.codeNow())).body.status).toBe("authenticated");
    await runMinute(Date.now() + DAY);
    expect((await appointmentsOf(person)).results).toEqual([]);
  });

  it("frees the passkeys that it removes", async () => {
    const person = await newPasskeyPerson();
    await waitForRecovery(person);
    pass(72 * HOUR);
    await runMinute();
    expect(await ownersOf(person)).toBe(1);
    expect((await finishRecovery(linkTo(person.email, "finish-recovery"))).status).toBe(200);
    expect(await ownersOf(person)).toBe(0);
    expect((await signInByPasskey(person.key)).status).toBe(401);
  });

  it("is over when its link has not been used for a day", async () => {
    const person = await newGuardedPerson();
    await waitForRecovery(person);
    pass(72 * HOUR);
    await runMinute();
    pass(DAY);
    await runMinute();
    expect((await appointmentsOf(person)).results).toEqual([]);
    const session = await signInNow(person);
    expect(session.body).not.toHaveProperty("recovery");
    expect((await logIn(person)).body.status).toBe("challenge");
  });

  it.each([
    ["before", "dueOfRecovery"],
    ["after", "dueOfRecovery"],
    ["before", "noteAnnouncement"],
    ["after", "noteAnnouncement"],
  ] as const)("ends as well when its minute broke off %s %s", async (when, at) => {
    const person = await newGuardedPerson();
    await waitForRecovery(person);
    pass(72 * HOUR);
    await runMinute(Date.now(), brokenAt({ at, when, dies: true }).bindings);
    pass(APPOINTMENT_RETRY_MS);
    await runMinute();
    const links = linksTo(person.email, "finish-recovery");
    expect(links.length).toBeGreaterThan(0);
    expect((await finishRecovery(links[0])).status).toBe(200);
    expect((await finishRecovery(links.at(-1))).body.code).toBe("invalid_link");
  });

  it("is neither shortened nor put off by another one", async () => {
    const person = await newGuardedPerson();
    await waitForRecovery(person);
    const { body: first } = await refresh(person.session.refresh_token);
    for (const hours of [24, 24, 23]) {
      pass(hours * HOUR);
      await runMinute();
      const again = await confirmRecovery(await recoveryLink(person));
      expect(again.body.finish_after).toBe((first.recovery as Record<string, unknown>).finish_after);
    }
    pass(HOUR);
    await runMinute();
    expect(linksTo(person.email, "finish-recovery")).toHaveLength(1);
    expect((await confirmRecovery(await recoveryLink(person))).status).toBe(200);
    expect((await finishRecovery(linkTo(person.email, "finish-recovery"))).status).toBe(200);
  });
});

describe("a recovery is called off", () => {
  const WAYS: Record<string, (person: GuardedPerson, token: string) => Promise<unknown>> = {
    "by its link": async (_, token) => expect((await cancelRecovery(token)).status).toBe(200),
    "by a session that was opened before it": async ({ session }) => {
      const renewed = await refresh(session.refresh_token);
      const cancelled = await call("/auth/recovery/cancel", {}, { bearer: renewed.body.access_token });
      expect(cancelled.text).toBe('{"status":"recovery_cancelled"}');
    },
    "by a sign-in with the factor": async (person) => {
      const { body } = await signInNow(person);
      expect(body.status).toBe("authenticated");
      expect(body).not.toHaveProperty("recovery");
    },
    "by a recovery code": async (person) => {
      const used = await recover(await challengeOf(person), person.recoveryCodes[0]);
      expect(used.body.status).toBe("authenticated");
    },
    "by a step-up": async (person) => {
      const { body } = await refresh(person.session.refresh_token);
      const stepUp = await call("/auth/step-up", {}, { bearer: body.access_token });
      const proven = await answer(stepUp.body.challenge_token, nextCode(person));
      expect(proven.body.status).toBe("authenticated");
      expect(proven.body).not.toHaveProperty("recovery");
    },
    "at the last moment before it is finished": async (person, token) => {
      pass(72 * HOUR);
      await runMinute();
      expect((await cancelRecovery(token)).status).toBe(200);
      expect((await finishRecovery(linkTo(person.email, "finish-recovery"))).body.code).toBe("invalid_link");
    },
  };

  it.each(Object.entries(WAYS))("%s", async (_, callOff) => {
    const person = await newGuardedPerson();
    pass(SECOND);
    const token = await waitForRecovery(person);
    pass(MINUTE);
    await callOff(person, token);
    expect(await isOver(person)).toBe(true);
    expect((await logIn(person)).body.status).toBe("challenge");
    expect((await cancelRecovery(token)).body.code).toBe("invalid_link");
    expect((await appointmentsOf(person)).results).toEqual([]);
  });

  it("by a passkey alone", async () => {
    const person = await newPasskeyPerson();
    const token = await waitForRecovery(person);
    expect((await signInByPasskey(person.key)).body).not.toHaveProperty("recovery");
    expect((await cancelRecovery(token)).body.code).toBe("invalid_link");
  });

  it("and not by a wrong code, nor by a session that is not older, nor by nobody", async () => {
    const person = await newGuardedPerson();
    const trusting = { bindings: { ...env, TRUSTED_BROWSER_DAYS: "30" } };
    const browser = new Browser();
    const first = await logIn(person, { browser, ...trusting });
    const answered = { challenge_token: first.body.challenge_token, method: "totp", code: nextCode(person) };
    await call("/auth/2fa/verify", { ...answered, trust_browser: true }, { browser, ...trusting });
    await waitForRecovery(person);
    pass(SECOND);
    expect((await answer(await challengeOf(person), person.wrongCode())).status).toBe(401);
    // The password alone opens a session there, and whoever recovers has the password.
    const young = await logIn(person, { browser, ...trusting });
    expect(young.body).toMatchObject({ status: "authenticated", recovery: { finish_after: expect.any(String) } });
    const refused = await call("/auth/recovery/cancel", {}, { bearer: young.body.access_token });
    expect([refused.status, refused.body.code]).toEqual([403, "forbidden"]);
    expect((await call("/auth/recovery/cancel", {})).status).toBe(401);
    expect(await isOver(person)).toBe(false);
  });
});

describe("a recovery is not for", () => {
  const mailsAfter = async (person: { email: string; password: string; id: string }, bindings: object = env) => {
    const asked = await startRecovery(person, { bindings });
    expect(asked.text).toBe('{"status":"recovery_sent"}');
    return linksTo(person.email, "confirm-recovery").length;
  };

  it("whoever has no factor, or not the password, or a closed account", async () => {
    expect(await mailsAfter(await newPerson())).toBe(0);
    const person = await newGuardedPerson();
    expect(await mailsAfter({ ...person, password: "not the right password" })).toBe(0);
    expect(await mailsAfter({ ...person, email: "nobody.at.all@example.com" })).toBe(0);
    await env.DB.prepare("UPDATE users SET status = 'closed' WHERE id = ?").bind(person.id).run();
    expect(await mailsAfter(person)).toBe(0);
  });

  it("anybody where it is off", async () => {
    const off = { ...env, RECOVERY_DELAY_HOURS: "0" };
    expect(await mailsAfter(await newGuardedPerson(), off)).toBe(0);
    const person = await newGuardedPerson();
    const token = await recoveryLink(person);
    expect((await confirmRecovery(token, { bindings: off })).body.code).toBe("invalid_link");
  });

  it("admins, at each of its steps", async () => {
    const appoint = ({ id }: { id: string }) =>
      env.DB.prepare(`UPDATE users SET roles = '["admin"]' WHERE id = ?`).bind(id).run();
    const admin = await newGuardedPerson();
    await appoint(admin);
    expect(await mailsAfter(admin)).toBe(0);
    const appointed = await newGuardedPerson();
    const token = await recoveryLink(appointed);
    await appoint(appointed);
    expect((await confirmRecovery(token)).body.code).toBe("invalid_link");
    const late = await newGuardedPerson();
    await waitForRecovery(late);
    pass(72 * HOUR);
    await runMinute();
    await appoint(late);
    expect((await finishRecovery(linkTo(late.email, "finish-recovery"))).body.code).toBe("invalid_link");
    expect(subjectsTo(late.email).filter((subject) => subject.startsWith("All second factors"))).toEqual([]);
    expect((await logIn(late)).body.status).toBe("challenge");
  });
});
