import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { REFRESH_GRACE_MS, SESSIONS_PER_ACCOUNT } from "../../src/policy.ts";
import { sealLink } from "../../src/tokens/one-time-link.ts";
import {
  type Answer,
  addAuthenticator,
  answer,
  call,
  logIn,
  newGuardedPerson,
  newPerson,
  refresh,
  ring,
} from "../support/in-worker.ts";
import { changeGuard, guardOf } from "./support/account.ts";
import {
  changePassword,
  deleteMe,
  finishRecovery,
  freeze,
  freshBearer,
  move,
  moveLink,
  nextCode,
  noticeOf,
  reset,
  resetLink,
  signInNow,
  undoEmail,
  verifyEmail,
  waitForRecovery,
} from "./support/account-life.ts";
import { listedSessions, untilListed, withoutTheList } from "./support/ended-sessions.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { ask, runMinute } from "./support/operations.ts";

useMovedClock();

const REQUIRED = { bindings: { ...env, SECOND_FACTOR: "required" } };

/** Sessions, what ends some of them, and which go on. */
interface Ending {
  ended: unknown[];
  goesOn?: unknown[];
  act: () => Promise<Answer | undefined>;
  /** What the act answers. With 204 it is there to end sessions, and answers no sooner than they are listed. */
  status?: number;
}

const sidOf = ({ body }: Answer) => body.session_id;

/** One session, of an account without a factor. */
async function oneSession() {
  const person = await newPerson();
  const { body } = await logIn(person);
  const { access_token: bearer, refresh_token: token, session_id: sid } = body;
  return { person, bearer, token, sid };
}

/** An account with an authenticator, a session that asks, fresh, and another. */
async function guardedSessions() {
  const person = await newGuardedPerson();
  const [other, asking] = [await signInNow(person), await signInNow(person)];
  return { person, other: sidOf(other), asking: sidOf(asking), bearer: asking.body.access_token };
}

/** A session that is over the moment its account changes at all. */
async function endedWith(act: (person: Awaited<ReturnType<typeof newPerson>>, sid: unknown) => Promise<Answer>) {
  const { person, sid } = await oneSession();
  return { ended: [sid], act: () => act(person, sid) };
}

/** Acts while the list takes nothing for a while: what waits for it answers after that. */
async function whileTheListIsSlow<T>(act: () => Promise<T>): Promise<T> {
  const acting = await withoutTheList(async () => {
    const done = act();
    await scheduler.wait(200);
    return { done };
  });
  return acting.done;
}

const WAYS: Record<string, () => Promise<Ending>> = {
  "a logout with the refresh token": async () => {
    const { token, sid } = await oneSession();
    return { ended: [sid], act: () => call("/auth/logout", { refresh_token: token }), status: 204 };
  },
  "a logout with the access token alone": async () => {
    const { bearer, sid } = await oneSession();
    return { ended: [sid], act: () => call("/auth/logout", {}, { bearer }), status: 204 };
  },
  "ending one session": async () => {
    const { asking, other, bearer } = await guardedSessions();
    const act = () => call(`/auth/sessions/${other}`, undefined, { method: "DELETE", bearer });
    return { ended: [other], goesOn: [asking], act, status: 204 };
  },
  "ending all other sessions": async () => {
    const { asking, other, bearer } = await guardedSessions();
    const act = () => call("/auth/sessions", undefined, { method: "DELETE", bearer });
    return { ended: [other], goesOn: [asking], act, status: 204 };
  },
  "a refresh token that was stolen": async () => {
    const { token, sid } = await oneSession();
    await refresh((await refresh(token)).body.refresh_token);
    return { ended: [sid], act: () => refresh(token), status: 401 };
  },
  "a refresh token that was lost": async () => {
    const { token, sid } = await oneSession();
    await refresh(token);
    pass(REFRESH_GRACE_MS + 1);
    return { ended: [sid], act: () => refresh(token), status: 401 };
  },
  "guessing at the password within the session": async () => {
    const { bearer, sid } = await oneSession();
    const guess = () => call("/auth/step-up", { password: "not the right password" }, { bearer });
    for (let i = 0; i < 4; i += 1) await guess();
    return { ended: [sid], act: guess, status: 401 };
  },
  "one session more than there may be": async () => {
    const person = await newPerson();
    const sids: unknown[] = [];
    for (let i = 0; i < SESSIONS_PER_ACCOUNT; i += 1) {
      sids.push(sidOf(await logIn(person)));
      pass(1);
    }
    return { ended: sids.slice(0, 1), goesOn: sids.slice(1), act: () => logIn(person), status: 200 };
  },
  "a step-up below what is demanded now": async () => {
    const { bearer, sid } = await oneSession();
    return { ended: [sid], act: () => call("/auth/step-up", {}, { bearer, ...REQUIRED }), status: 401 };
  },
  "a refresh below what is demanded now": async () => {
    const { token, sid } = await oneSession();
    return { ended: [sid], act: () => refresh(token, REQUIRED), status: 401 };
  },
  "a change of password, which goes on under another id": async () => {
    const { person, bearer, sid } = await oneSession();
    const other = sidOf(await logIn(person));
    return { ended: [sid, other], act: () => changePassword(bearer, person.password), status: 200 };
  },
  "a reset of the password": async () =>
    endedWith(async (person) => reset(await resetLink(person), "quite another passphrase 8")),
  "another address": async () => endedWith(async (person) => verifyEmail(await moveLink(person), person.password)),
  "an address that is taken back": async () => {
    const { there, undo } = await move(await newPerson());
    return { ended: [sidOf(await logIn(there))], act: () => undoEmail(undo), status: 200 };
  },
  "a freeze": async () => endedWith(async (person) => freeze(await noticeOf(person))),
  "a deletion": async () => endedWith(async (person) => deleteMe(await freshBearer(person))),
  "the first factor": async () => {
    const { person, bearer, sid } = await oneSession();
    const other = sidOf(await logIn(person));
    const act = async () => (await addAuthenticator(bearer)).confirmed;
    return { ended: [other], goesOn: [sid], act, status: 200 };
  },
  "a factor that is removed": async () => {
    const { person, asking, other, bearer } = await guardedSessions();
    await addAuthenticator(bearer);
    const again = sidOf(await signInNow(person));
    await untilListed([other]);
    const act = () => call(`/auth/2fa/factors/${person.factorId}`, undefined, { method: "DELETE", bearer });
    return { ended: [again], goesOn: [asking], act };
  },
  "turning the second factor off": async () => {
    const { asking, other, bearer } = await guardedSessions();
    return { ended: [other], goesOn: [asking], act: () => call("/auth/2fa/turn-off", {}, { bearer }) };
  },
  "the end of a recovery": async () => {
    const { person, asking, other } = await guardedSessions();
    await waitForRecovery(person);
    const { id = "" } = (await guardOf(person)).life.recovery ?? {};
    await changeGuard(person, ({ life }) => {
      if (life.recovery) life.recovery.finishAfter = Date.now();
    });
    const link = await sealLink(await ring(), "recovery_finish", { accountId: person.id, id }, Date.now() + SECOND);
    return { ended: [asking, other], act: () => finishRecovery(link), status: 200 };
  },
  "the operators' reset": async () => {
    const { person, asking, other } = await guardedSessions();
    await ask("reset_factors", { account: person.email });
    const act = async () => {
      await runMinute();
      return undefined;
    };
    return { ended: [asking, other], act };
  },
  "five wrong codes of a session": async () => {
    const { person, asking, bearer } = await guardedSessions();
    const { challenge_token: token } = (await call("/auth/step-up", {}, { bearer })).body;
    for (let i = 0; i < 4; i += 1) await answer(token, person.wrongCode());
    return { ended: [asking], act: () => answer(token, person.wrongCode()), status: 401 };
  },
  "a reset with a factor": async () => {
    const { person, asking, other } = await guardedSessions();
    const { challenge_token: token } = (await reset(await resetLink(person))).body;
    return { ended: [asking, other], act: () => answer(token, nextCode(person)), status: 200 };
  },
};

describe("a session is listed when it is ended by", () => {
  it.each(Object.entries(WAYS))("%s", async (_, prepare) => {
    const { ended, goesOn = [], act, status } = await prepare();
    for (const sid of [...ended, ...goesOn]) expect(sid).toBeTypeOf("string");
    const before = await listedSessions();
    expect(ended.filter((sid) => before.has(String(sid)))).toEqual([]);
    const done = await (status === 204 ? whileTheListIsSlow(act) : act());
    if (status !== undefined) expect(done?.status, done?.text).toBe(status);
    if (status !== 204) await untilListed(ended);
    const listed = await listedSessions();
    expect(ended.filter((sid) => !listed.has(String(sid)))).toEqual([]);
    expect([...goesOn, done?.body.session_id].filter((sid) => listed.has(String(sid)))).toEqual([]);
  });
});
