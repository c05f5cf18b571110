import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  answer,
  challengeOf,
  type GuardedPerson,
  logIn,
  newGuardedPerson,
  newPerson,
  newSource,
  type Person,
  recover,
  refresh,
} from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { DAY, MINUTE, pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { expectNotice, mailsBy } from "./support/notices.ts";
import { answerByPasskey, newPasskeyPerson, securityKey, signInByPasskey } from "./support/passkeys.ts";

useMovedClock();

const KNOWS_PASSWORD = /^Somebody knows the password of your account at /;

/** Gives wrong codes to one challenge. */
async function guess(person: GuardedPerson, token: string, count: number, options = {}): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const { status, body } = await answer(token, person.wrongCode(), options);
    expect({ status, code: body.code }).toEqual({ status: 401, code: "invalid_code" });
    expect(Object.keys(body).sort()).toEqual(["attempts_remaining", "code", "request_id", "status", "title", "type"]);
  }
}

describe("a right password and then wrong answers", () => {
  it("are told at the third in a row, once a day, with the network of who gave it", async () => {
    const person = await newGuardedPerson();
    const token = await challengeOf(person);
    expect(await mailsBy(person, () => guess(person, token, 2))).toEqual([]);
    const source = newSource();
    const told = await expectNotice(person, KNOWS_PASSWORD, () => guess(person, token, 1, { source }));
    expect(told.text).toContain("several wrong answers");
    expect(told.text).toContain(`from the network ${source.replace(/1$/, "0/24")}`);
    expect(await mailsBy(person, () => guess(person, token, 2))).toEqual([]);
    pass(DAY);
    const next: string[] = [];
    expect(await mailsBy(person, async () => next.push(await challengeOf(person)))).toEqual([]);
    await expectNotice(person, KNOWS_PASSWORD, () => guess(person, next[0] ?? "", 1));
  });

  it("are told whatever kind of answer it was", async () => {
    const person = await newGuardedPerson();
    const token = await challengeOf(person);
    await guess(person, token, 2);
    await expectNotice(person, KNOWS_PASSWORD, () => recover(token, "0".repeat(24)));
  });

  it("are not told of the owner's browser, nor when a right answer came in between", async () => {
    const [person, browser] = [await newGuardedPerson(), new Browser()];
    await answer(await challengeOf(person, { browser }), person.codeNow(), { browser });
    const own = await challengeOf(person, { browser });
    expect(await mailsBy(person, () => guess(person, own, 4, { browser }))).toEqual([]);
    const token = await challengeOf(person);
    await guess(person, token, 2);
    pass(MINUTE);
    expect((await answer(token, person.codeNow())).status).toBe(200);
    const later = await challengeOf(person);
    expect(await mailsBy(person, () => guess(person, later, 2))).toEqual([]);
  });
});

describe("a right password and no answer", () => {
  const thief = { headers: { "User-Agent": "thief/1" } };

  it("is told when the next sign-in finds it: when it was and by what program, and nothing of who found it", async () => {
    const person = await newGuardedPerson();
    const opened = new Date().toISOString().slice(0, 16).replace("T", " ");
    await challengeOf(person, thief);
    pass(5 * MINUTE - SECOND);
    expect(await mailsBy(person, () => challengeOf(person))).toEqual([]);
    pass(SECOND);
    const told = await expectNotice(person, KNOWS_PASSWORD, () => challengeOf(person));
    expect(told.text).toContain("gave no right answer");
    expect(told.text).toContain(`This happened at ${opened} UTC, from a program that calls itself “thief/1”.`);
    pass(6 * MINUTE);
    expect(await mailsBy(person, () => challengeOf(person))).toEqual([]);
  });

  it("is told at once when more of them push it out", async () => {
    const person = await newGuardedPerson();
    for (let i = 0; i < 3; i += 1) expect(await mailsBy(person, () => challengeOf(person, thief))).toEqual([]);
    await expectNotice(person, KNOWS_PASSWORD, () => challengeOf(person));
  });

  it("is not told of the owner's browser", async () => {
    const [person, browser] = [await newGuardedPerson(), new Browser()];
    await answer(await challengeOf(person, { browser }), person.codeNow(), { browser });
    await challengeOf(person, { browser });
    pass(6 * MINUTE);
    expect(await mailsBy(person, () => challengeOf(person, { browser }))).toEqual([]);
  });
});

describe("a passkey whose counter fell", () => {
  const COPIED = /^A passkey of your account at .+ may have been copied$/;
  const behind = { edits: { signCount: 1 } };

  it("is told when it signs in alone, once a day", async () => {
    const person = await newPasskeyPerson(securityKey());
    const copy = () => signInByPasskey(person.key, behind);
    await expectNotice(person, COPIED, async () => expect((await copy()).body.code).toBe("invalid_code"));
    expect(await mailsBy(person, copy)).toEqual([]);
    pass(DAY);
    await expectNotice(person, COPIED, copy);
  });

  it("is told when it answers a challenge", async () => {
    const person = await newPasskeyPerson(securityKey());
    const token = await challengeOf(person);
    await expectNotice(person, COPIED, async () => {
      expect((await answerByPasskey(token, person.key, behind)).body.code).toBe("invalid_code");
    });
  });
});

describe("a refresh token that was used twice", () => {
  const STOLEN = /^A session of your account at .+ was ended$/;
  const signedIn = async (): Promise<[Person, unknown]> => {
    const person = await newPerson();
    return [person, (await logIn(person)).body.refresh_token];
  };

  it("is told when it ends the session, and not again", async () => {
    const [person, stolen] = await signedIn();
    await refresh((await refresh(stolen)).body.refresh_token);
    await expectNotice(person, STOLEN, async () => expect((await refresh(stolen)).status).toBe(401));
    expect(await mailsBy(person, () => refresh(stolen))).toEqual([]);
  });

  it("is told to who has been disabled or closed, too", async () => {
    for (const status of ["disabled", "closed"]) {
      const [person, stolen] = await signedIn();
      await refresh((await refresh(stolen)).body.refresh_token);
      await env.DB.prepare("UPDATE users SET status = ? WHERE id = ?").bind(status, person.id).run();
      await expectNotice(person, STOLEN, () => refresh(stolen));
    }
  });

  it("is not told where it was only lost", async () => {
    const [person, lost] = await signedIn();
    await refresh(lost);
    pass(11 * SECOND);
    expect(await mailsBy(person, async () => expect((await refresh(lost)).status).toBe(401))).toEqual([]);
  });
});
