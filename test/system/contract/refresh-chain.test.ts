import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import { Browser } from "../../support/browser.ts";
import {
  type Answer,
  expectProblem,
  get,
  logIn,
  mailsTo,
  me,
  ownPage,
  type Person,
  post,
  refreshCookie,
  refreshed,
  type Session,
  send,
  sessionOf,
  sessionsOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import { mailsHaveLeft } from "../../support/life-client.ts";
import { atOnce } from "../../support/passkey-client.ts";
import { becomesListed, isListed } from "../../support/published.ts";

const DAY = 86_400;
const REMEMBERED = 14 * DAY;
const COOKIE = "__Host-sallyport_rt";

async function expectEnded(...tokens: Pick<Session, "access" | "refresh">[]): Promise<void> {
  for (const { access, refresh } of tokens) {
    expectProblem(await me(access), 401, "invalid_token");
    expectProblem(await get("/auth/sessions", { bearer: access }), 401, "invalid_token");
    expectProblem(await send("DELETE", "/auth/sessions", undefined, { bearer: access }), 401, "invalid_token");
    expectProblem(await post("/auth/step-up", {}, { bearer: access }), 401, "invalid_token");
    expectProblem(await refreshed(refresh), 401, "invalid_refresh_token");
  }
}

/** Refreshes so many times; gives every session on the way, the newest last. */
async function chain(session: Session, times: number): Promise<Session[]> {
  const all = [session];
  for (let i = 0; i < times; i++) all.push(sessionOf(await refreshed((all.at(-1) as Session).refresh)));
  return all;
}

/** The mails to somebody about anything but the registration, once there are `least`. */
const warnings = async (person: Person, least: number) =>
  (await mailsTo(person.email, least + 1)).filter((mail) => !mail.text.includes("/verify-email#"));

describe.concurrent("a chain of refreshes", () => {
  it("has one successor a generation, twenty at once, round after round", async () => {
    const person = await verifiedPerson();
    let session = await signedIn(person);
    const seen = new Set([session.refresh]);
    for (let round = 0; round < 5; round++) {
      const answers = await atOnce(20, () => refreshed(session.refresh));
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
      expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1);
      expect(new Set(answers.map(({ body }) => body.session_id))).toEqual(new Set([session.id]));
      // Each has an access token of its own, and each of them is good.
      const accesses = answers.map((answer) => text(answer, "access_token"));
      expect(new Set(accesses.map((access) => decodeJwt(access).jti)).size).toBe(20);
      expect((await atOnce(20, (i) => me(accesses[i] ?? ""))).every(({ status }) => status === 200)).toBe(true);
      session = sessionOf(answers[0] as Answer);
      expect(seen.has(session.refresh)).toBe(false);
      seen.add(session.refresh);
    }
    expect((await sessionsOf(session.access)).map(({ id }) => id)).toEqual([session.id]);
    expect(await warnings(person, 0)).toEqual([]);
  });

  it("goes on after a lost response, however often it is lost within ten seconds", async () => {
    const session = await signedIn(await verifiedPerson());
    const lost = sessionOf(await refreshed(session.refresh));
    await sleep(2_000);
    const healed = sessionOf(await refreshed(session.refresh));
    expect(healed.refresh).toBe(lost.refresh);
    expect(decodeJwt(healed.access).jti).not.toBe(decodeJwt(lost.access).jti);
    const next = sessionOf(await refreshed(healed.refresh));
    expect(next.refresh).not.toBe(lost.refresh);
    expect((await refreshed(healed.refresh)).body.refresh_token).toBe(next.refresh);
    expect((await me(next.access)).status).toBe(200);
  });

  it("is over when an older one comes back, for whoever holds any of it, and its owner is told", async () => {
    const person = await verifiedPerson();
    const [tokens, other] = [await chain(await signedIn(person), 3), await signedIn(person)];
    for (const { access } of tokens) expect((await me(access)).status).toBe(200);
    const [stolen] = tokens as [Session];
    expectProblem(await refreshed(stolen.refresh), 401, "invalid_refresh_token");
    await expectEnded(...tokens);
    expect(await becomesListed(stolen.id)).toBe(true);
    const [mail, ...more] = await warnings(person, 1);
    expect(more).toEqual([]);
    expect(mail?.to).toBe(person.email);
    expect(`${mail?.subject} ${mail?.text}`).toMatch(/sign|session/i);
    for (const { refresh, access } of tokens)
      for (const secret of [refresh, access]) expect(JSON.stringify(mail)).not.toContain(secret);
    // The other session of the account goes on.
    expect((await me(other.access)).status).toBe(200);
    expect(await isListed(other.id)).toBe(false);
    expect((await refreshed(other.refresh)).status).toBe(200);
  });

  it("is over when it comes back in a browser's cookie, too", async () => {
    const person = await verifiedPerson();
    const [browser, thief] = [new Browser(), new Browser()];
    const access = text(await browser.logIn(person), "access_token");
    thief.cookies.set(COOKIE, browser.cookies.get(COOKIE) ?? "");
    expect((await browser.post("/auth/refresh", {})).status).toBe(200);
    expect((await browser.post("/auth/refresh", {})).status).toBe(200);
    const answer = await thief.post("/auth/refresh", {});
    expectProblem(answer, 401, "invalid_refresh_token");
    expect(answer.text).not.toContain("access_token");
    expectProblem(await browser.post("/auth/refresh", {}), 401, "invalid_refresh_token");
    expectProblem(await me(access), 401, "invalid_token");
    expect((await warnings(person, 1)).length).toBe(1);
  });

  it("is over quietly when the one before comes after ten seconds and its successor was never used", async () => {
    const person = await verifiedPerson();
    const [first, second] = (await chain(await signedIn(person), 1)) as [Session, Session];
    await sleep(11_000);
    expectProblem(await refreshed(first.refresh), 401, "invalid_refresh_token");
    await expectEnded(second);
    expect(await becomesListed(first.id)).toBe(true);
    await mailsHaveLeft();
    expect(await warnings(person, 0)).toEqual([]);
  });

  it("of one thief's many tries at once tells the owner once", async () => {
    const person = await verifiedPerson();
    const tokens = await chain(await signedIn(person), 2);
    const [stolen] = tokens as [Session];
    for (const answer of await atOnce(10, () => refreshed(stolen.refresh)))
      expectProblem(answer, 401, "invalid_refresh_token");
    await expectEnded(...tokens);
    expect((await warnings(person, 1)).length).toBe(1);
    await mailsHaveLeft();
    expect((await warnings(person, 1)).length).toBe(1);
  });

  it("ends with logout, at every generation of it", async () => {
    const tokens = await chain(await signedIn(await verifiedPerson()), 2);
    expect((await post("/auth/logout", { refresh_token: tokens.at(-1)?.refresh })).status).toBe(204);
    await expectEnded(...tokens);
  });

  it("lives as long as it was asked to be remembered, and no refresh makes it longer", async () => {
    const person = await verifiedPerson();
    const [plain, remembered] = [await logIn(person), await logIn(person, { remember: true })];
    expect(plain.body.refresh_expires_in).toBe(DAY);
    expect(remembered.body.refresh_expires_in).toBe(REMEMBERED);
    expect((await logIn(person, { remember: false })).body.refresh_expires_in).toBe(DAY);
    for (const [answer, lifetime] of [
      [plain, DAY],
      [remembered, REMEMBERED],
    ] as const) {
      const next = await refreshed(text(answer, "refresh_token"));
      expect(next.body.refresh_expires_in).toBe(lifetime);
      expect((await refreshed(text(next, "refresh_token"))).body.refresh_expires_in).toBe(lifetime);
    }
    const browser = new Browser();
    const page = await browser.logIn(person, { remember: true });
    expect(page.body.refresh_expires_in).toBe(REMEMBERED);
    expect(refreshCookie(page)?.attributes).toContain(`max-age=${REMEMBERED}`);
    const rotated = await browser.post("/auth/refresh", {});
    expect(refreshCookie(rotated)?.attributes).toContain(`max-age=${REMEMBERED}`);
    expectProblem(await post("/auth/refresh", { refresh_token: "rt_", remember: true }), 400, "invalid_request");
  });
});

describe.concurrent("the refresh token", () => {
  it("comes in the cookie to a browser and in the body to anybody else, never in both", async () => {
    const person = await verifiedPerson();
    const browsers: Record<string, string>[] = [
      ownPage,
      { origin: ownPage.origin },
      { "sec-fetch-site": "same-origin" },
    ];
    for (const headers of browsers) {
      const answer = await logIn(person, {}, { headers });
      expect({ headers, status: answer.status }).toEqual({ headers, status: 200 });
      expect(answer.text).not.toContain("rt_");
      expect(answer.body).not.toHaveProperty("refresh_token");
      expect(refreshCookie(answer)?.value).toMatch(/^rt_[\w-]{120}$/);
    }
    for (const headers of [{}, { "sec-fetch-mode": "cors" }] as Record<string, string>[]) {
      const answer = await logIn(person, {}, { headers });
      expect(text(answer, "refresh_token")).toMatch(/^rt_[\w-]{120}$/);
      expect(answer.headers.getSetCookie().filter((line) => line.startsWith(COOKIE))).toEqual([]);
    }
  });

  it("is refused when both come together, and neither pays for it", async () => {
    const person = await verifiedPerson();
    const [browser, session] = [new Browser(), await signedIn(person)];
    await browser.logIn(person);
    const kept = browser.cookies.get(COOKIE);
    for (const path of ["/auth/refresh", "/auth/logout"]) {
      const answer = await browser.post(path, { refresh_token: session.refresh });
      expectProblem(answer, 400, "invalid_request");
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    expect(browser.cookies.get(COOKIE)).toBe(kept);
    expect((await browser.post("/auth/refresh", {})).status).toBe(200);
    expect((await refreshed(session.refresh)).status).toBe(200);
  });
});

describe("the sessions of an account", () => {
  it("are twenty: the next one ends the oldest, everywhere", async () => {
    const person = await verifiedPerson();
    const sessions: Session[] = [];
    for (let i = 0; i < 20; i++) sessions.push(await signedIn(person));
    const [oldest, second] = sessions as [Session, Session];
    expect((await me(oldest.access)).status).toBe(200);
    expect((await sessionsOf(second.access)).length).toBe(20);
    const last = await signedIn(person);
    await expectEnded(oldest);
    expect(await becomesListed(oldest.id)).toBe(true);
    const ids = (await sessionsOf(last.access)).map(({ id }) => id);
    expect(ids.sort()).toEqual([...sessions.slice(1), last].map(({ id }) => id).sort());
    expect((await me(second.access)).status).toBe(200);
    expect((await refreshed(second.refresh)).status).toBe(200);
    expect(await isListed(second.id)).toBe(false);
  });
});
