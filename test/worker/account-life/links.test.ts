import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { type Answer, call, ISSUER, logIn, newPerson, newSource, send } from "../../support/in-worker.ts";
import { shown, userOf } from "../support/account-life.ts";
import { LINKS, type Link, mailed, PURPOSES, resealed } from "../support/mailed-links.ts";
import { pass, useMovedClock } from "../support/moved-clock.ts";

useMovedClock();

/** What every dead link is answered with, to the byte. */
let dead: string;

beforeAll(async () => {
  const refused = await call("/auth/freeze", { token: "never.was.one" });
  expect(refused).toMatchObject({ status: 400, body: { code: "invalid_link" } });
  expect(Object.keys(refused.body).sort()).toEqual(["code", "request_id", "status", "title", "type"]);
  dead = shown(refused);
});

const isDead = (answer: Answer) => expect(shown(answer)).toBe(dead);

/** A token that is almost right. */
function mangled(token: string): Record<string, string> {
  const middle = Math.floor(token.length / 2);
  const swapCase = (char: string) => (char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase());
  const letter = token.search(/[a-z]/i);
  return {
    truncated: token.slice(0, -1),
    "cut in half": token.slice(0, middle),
    "without its beginning": token.slice(1),
    appended: `${token}A`,
    doubled: token + token,
    padded: `${token}=`,
    "with a full stop": `${token}.`,
    "with a space": `${token} `,
    "with a space before it": ` ${token}`,
    "with a line break": `${token}\n`,
    "with a zero": `${token}\0`,
    "in another case": token.replace(/[a-z]/gi, swapCase),
    "with one letter in another case": token.slice(0, letter) + swapCase(token[letter] ?? "") + token.slice(letter + 1),
    "with one bit changed": token.slice(0, middle) + (token[middle] === "A" ? "B" : "A") + token.slice(middle + 1),
    "with another ending": token.slice(0, -1) + (token.endsWith("A") ? "B" : "A"),
  };
}

describe.each(PURPOSES)("a link of %s", (purpose) => {
  it("works once, whatever was tried with it before", async () => {
    const { token, use, status, path } = await mailed(purpose);
    for (const method of ["GET", "HEAD", "PUT", "GET", "HEAD"]) {
      const headers = { "CF-Connecting-IP": newSource() };
      const looked = await send(new Request(`${ISSUER}${path}?token=${token}`, { method, headers }));
      expect([looked.status, looked.headers.get("Allow")]).toEqual([405, "POST"]);
    }
    for (const [how, other] of Object.entries(mangled(token))) {
      expect(how + shown(await use(other))).toBe(how + dead);
    }
    for (const others of PURPOSES) {
      if (others === purpose) continue;
      // Here and there: its own route opens no other purpose, and no other route opens it.
      isDead(await use(await resealed(purpose, token, { as: others })));
      isDead(await (LINKS[others] as Link).use(token));
    }
    isDead(await call("/auth/invitation/accept", { token, password: "a long password of mine" }));
    const used = await use(token);
    expect(used).toMatchObject({ status: 200, body: { status } });
    expect(used.text).not.toMatch(/token|rt_/);
    expect(used.headers.get("Set-Cookie")).toBeNull();
    isDead(await use(token));
    isDead(await use(await resealed(purpose, token, {})));
  });

  it("works to its last millisecond", async () => {
    const { token, use, status, livesMs } = await mailed(purpose);
    pass(livesMs - 1);
    expect((await use(token)).body.status).toBe(status);
  });

  it("is dead from then on, in its own right and for the account", async () => {
    const { token, use, livesMs } = await mailed(purpose);
    const longer = await resealed(purpose, token, { expiresAt: Date.now() + 30 * livesMs });
    pass(livesMs);
    isDead(await use(token));
    // What says so besides the seal: the account. A freeze has nothing there that could lapse.
    if (purpose !== "freeze") isDead(await use(longer));
  });

  it("is worth nothing for another account, and leaves that as it was", async () => {
    const [own, other] = [await mailed(purpose), await mailed(purpose)];
    const user = await userOf(other.person);
    const bound = (accountId: string) => resealed(purpose, own.token, { payload: { accountId } });
    isDead(await own.use(await bound(crypto.randomUUID())));
    // A freeze names its account and a time, so that only its seal tells one account's from another's.
    if (purpose !== "freeze") isDead(await own.use(await bound(other.person.id)));
    expect(await userOf(other.person)).toEqual(user);
    expect((await other.use(other.token)).body.status).toBe(other.status);
  });

  it("is dead for an account that an operator has disabled", async () => {
    const { token, use, person } = await mailed(purpose);
    await env.DB.prepare("UPDATE users SET status = 'disabled' WHERE id = ?").bind(person.id).run();
    isDead(await use(token));
    expect((await userOf(person))?.status).toBe("disabled");
  });
});

it.each(["reset_password", "change_email"] as const)(
  "a made-up link of %s is a failure of its client",
  async (purpose) => {
    const { token, use, status } = await mailed(purpose);
    const [stranger, source] = [await newPerson(), newSource()];
    for (let i = 0; i < 20; i += 1) await use(`made-up-${i}`, { source });
    expect((await logIn(stranger, { source })).body.code).toBe("too_many_attempts");
    // It closes no link to anybody; a password that goes with one is another matter.
    expect((await use(token, purpose === "change_email" ? {} : { source })).body.status).toBe(status);
  },
);
