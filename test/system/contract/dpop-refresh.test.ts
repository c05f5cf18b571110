import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { Browser } from "../../support/browser.ts";
import {
  type Answer,
  cookieOf,
  expectProblem,
  type Json,
  logIn,
  me,
  newSource,
  ownPage,
  type Person,
  post,
  refreshCookie,
  refreshed,
  sessionOf,
  sessionsOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  bareProof,
  boundSession,
  logInBound,
  meBound,
  nonceIn,
  proofFor,
  refreshedBound,
  sendProven,
  thumbprintOf,
} from "../../support/dpop-client.ts";
import { type Es256Key, newEs256Key } from "../../support/es256-jws.ts";
import { changePassword } from "../../support/life-client.ts";
import { atOnce } from "../../support/passkey-client.ts";

const COOKIE = "__Host-sallyport_rt";
const REFRESH = { method: "POST", path: "/auth/refresh" };
let person: Person;
let key: Es256Key;
let foreign: Es256Key;
beforeAll(async () => {
  [person, key, foreign] = await Promise.all([verifiedPerson(), newEs256Key(), newEs256Key()]);
});

async function expectBound(answer: Answer): Promise<void> {
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.token_type).toBe("DPoP");
  expect(decodeJwt(text(answer, "access_token")).cnf).toEqual({ jkt: await thumbprintOf(key) });
}

/** Asserts that no refusal has moved the generation: the token before still has the same successor. */
async function expectUnmoved(before: string, now: string): Promise<void> {
  const retry = await refreshedBound(key, before);
  await expectBound(retry);
  expect(retry.body.refresh_token).toBe(now);
}

describe("refreshing a bound session", () => {
  it("gives tokens of the same key, for a proof of it each time", async () => {
    let { refresh } = await boundSession(key, person);
    for (let generation = 0; generation < 3; generation++) {
      const answer = await refreshedBound(key, refresh);
      await expectBound(answer);
      expect((await meBound(key, text(answer, "access_token"))).status).toBe(200);
      refresh = text(answer, "refresh_token");
    }
  });

  it("asks for a nonce first", async () => {
    const { refresh } = await boundSession(key, person);
    const first = await refreshedBound(key, refresh, { dpop: await bareProof(key, REFRESH) });
    expectProblem(first, 400, "use_dpop_nonce");
    await expectBound(await refreshedBound(key, refresh, { change: { claims: { nonce: nonceIn(first) } } }));
  });

  it("is nothing without the key: the token alone opens nothing, and nothing has moved", async () => {
    const first = await boundSession(key, person);
    const now = text(await refreshedBound(key, first.refresh), "refresh_token");
    const { path } = REFRESH;
    const body = { refresh_token: now };
    const iat = Math.floor(Date.now() / 1000);
    const refusals: Record<string, Promise<Answer>> = {
      "no proof": refreshed(now),
      "no proof, from a page": post(path, body, { headers: ownPage }),
      "no proof, as a body": post(path, { ...body }, { source: newSource() }),
      "another key": refreshedBound(foreign, now),
      "another key's jwk": refreshedBound(key, now, { change: { header: { jwk: foreign.jwk } } }),
      "for another method": refreshedBound(key, now, { change: { claims: { htm: "GET" } } }),
      "for another route": refreshedBound(key, now, {
        dpop: await proofFor(key, { method: "POST", path: "/auth/login" }),
      }),
      old: refreshedBound(key, now, { change: { claims: { iat: iat - 600 } } }),
      "too early": refreshedBound(key, now, { change: { claims: { iat: iat + 600 } } }),
      HS256: refreshedBound(key, now, { change: { header: { alg: "HS256" } } }),
      "a word": refreshedBound(key, now, { dpop: "proof" }),
    };
    for (const [name, answer] of Object.entries(refusals)) {
      const { status, body } = await answer;
      expect({ name, status, code: body.code }).toEqual({ name, status: 400, code: "invalid_dpop_proof" });
      expectProblem(await answer, 400, "invalid_dpop_proof");
      expect((await answer).headers.getSetCookie()).toEqual([]);
    }
    await expectUnmoved(first.refresh, now);
    await expectBound(await refreshedBound(key, now));
  });

  it("takes each proof once", async () => {
    const first = await boundSession(key, person);
    const dpop = await proofFor(key, REFRESH);
    const answer = await refreshedBound(key, first.refresh, { dpop });
    await expectBound(answer);
    expectProblem(await refreshedBound(key, first.refresh, { dpop }), 400, "invalid_dpop_proof");
    const now = text(answer, "refresh_token");
    expectProblem(await refreshedBound(key, now, { dpop }), 400, "invalid_dpop_proof");
    await expectUnmoved(first.refresh, now);
    await expectBound(await refreshedBound(key, now));
  });

  it("takes each proof once, whichever session of the key it comes with", async () => {
    const [one, other] = [await boundSession(key, person), await boundSession(key, person)];
    const dpop = await proofFor(key, REFRESH);
    await expectBound(await refreshedBound(key, one.refresh, { dpop }));
    expectProblem(await refreshedBound(key, other.refresh, { dpop }), 400, "invalid_dpop_proof");
    await expectBound(await refreshedBound(key, other.refresh));
  });

  it("has one successor, and is over when an older one comes back, proof or no proof", async () => {
    const first = await boundSession(key, person);
    const answers = await atOnce(20, () => refreshedBound(key, first.refresh));
    for (const answer of answers) await expectBound(answer);
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1);
    const second = text(answers[0] as Answer, "refresh_token");
    const third = await refreshedBound(key, second);
    await expectBound(third);
    expectProblem(await refreshedBound(key, first.refresh), 401, "invalid_refresh_token");
    expectProblem(await refreshedBound(key, text(third, "refresh_token")), 401, "invalid_refresh_token");
    expectProblem(await meBound(key, text(third, "access_token")), 401, "invalid_token");
  });
});

describe("refreshing an unbound session", () => {
  it("with a proof is refused, for it was not bound when it began; nothing has moved", async () => {
    const first = await signedIn(person);
    const now = sessionOf(await refreshed(first.refresh)).refresh;
    expectProblem(await refreshedBound(key, now), 400, "invalid_dpop_proof");
    expect((await refreshed(first.refresh)).body.refresh_token).toBe(now);
    const next = await refreshed(now);
    expect(next.body.token_type).toBe("Bearer");
    expect(decodeJwt(text(next, "access_token"))).not.toHaveProperty("cnf");
  });
});

describe("where the refresh token goes", () => {
  it("is the body for a page that asks for it at sign-in, as long as the session lasts", async () => {
    const answer = await logInBound(key, person, { token_delivery: "body" }, { headers: ownPage });
    await expectBound(answer);
    let refresh = text(answer, "refresh_token");
    expect(refreshCookie(answer)?.value ?? "").toBe("");
    for (let generation = 0; generation < 2; generation++) {
      const next = await refreshedBound(key, refresh, { headers: ownPage });
      await expectBound(next);
      expect(refreshCookie(next)?.value ?? "").toBe("");
      refresh = text(next, "refresh_token");
    }
  });

  it("is the body alone, though the browser had a cookie of an earlier sign-in", async () => {
    const browser = new Browser();
    await browser.logIn(person);
    expect(browser.cookies.has(COOKIE)).toBe(true);
    const headers = { dpop: await proofFor(key, { method: "POST", path: "/auth/login" }) };
    const body = { email: person.email, password: person.password, token_delivery: "body" };
    const answer = await browser.post("/auth/login", body, { headers });
    await expectBound(answer);
    // Beside that cookie its own token would be refused, and no page can take away what is HttpOnly.
    expect(browser.cookies.has(COOKIE)).toBe(false);
    const refresh = { refresh_token: text(answer, "refresh_token") };
    const next = await browser.post("/auth/refresh", refresh, { headers: { dpop: await proofFor(key, REFRESH) } });
    await expectBound(next);
    expect((await browser.post("/auth/logout", { refresh_token: text(next, "refresh_token") })).status).toBe(204);
    expectProblem(await meBound(key, text(next, "access_token")), 401, "invalid_token");
  });

  it("is the cookie for a page that does not, and the cookie needs the proof, too", async () => {
    const browser = new Browser();
    const cookieCall = async (dpop?: Promise<string>) =>
      browser.post("/auth/refresh", {}, { headers: dpop === undefined ? {} : { dpop: await dpop } });
    const dpop = await proofFor(key, { method: "POST", path: "/auth/login" });
    const body = { email: person.email, password: person.password };
    const page = await browser.post("/auth/login", body, { headers: { dpop } });
    await expectBound(page);
    expect(page.text).not.toContain('"rt_');
    const kept = browser.cookies.get(COOKIE);
    expect(kept).toMatch(/^rt_/);
    for (const proof of [undefined, proofFor(foreign, REFRESH)]) {
      expectProblem(await cookieCall(proof), 400, "invalid_dpop_proof");
      expect(browser.cookies.get(COOKIE)).toBe(kept);
    }
    // The value of the cookie in the body is no way round it.
    expectProblem(await refreshed(kept ?? ""), 400, "invalid_dpop_proof");
    const next = await cookieCall(proofFor(key, REFRESH));
    await expectBound(next);
    expect(next.text).not.toContain('"rt_');
    expect(refreshCookie(next)?.value).toMatch(/^rt_/);
    expect(refreshCookie(next)?.value).not.toBe(kept);
  });

  it("can be chosen by a page only with a proof; for anybody else the word changes nothing", async () => {
    const wish = { token_delivery: "body" };
    const before = (await sessionsOf((await signedIn(person)).access)).length;
    for (const headers of [ownPage, { origin: ownPage.origin }, { "sec-fetch-site": "same-origin" }]) {
      const answer = await logIn(person, wish, { headers: headers as Record<string, string> });
      expectProblem(answer, 400, "invalid_request");
      expect((answer.body.errors as Json[]).map(({ path }) => path)).toEqual(["token_delivery"]);
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    for (const value of ["cookie", "", "BODY", null, true, ["body"]]) {
      const answer = await logInBound(key, person, { token_delivery: value }, { source: newSource() });
      expectProblem(answer, 400, "invalid_request");
      expect((answer.body.errors as Json[]).map(({ path }) => path)).toEqual(["token_delivery"]);
    }
    expect((await sessionsOf((await signedIn(person)).access)).length).toBe(before + 1);
    const plain = await logIn(person, wish);
    expect(plain.body.token_type).toBe("Bearer");
    expect(text(plain, "refresh_token")).toMatch(/^rt_/);
    expectProblem(await refreshedBound(key, text(plain, "refresh_token")), 400, "invalid_dpop_proof");
  });
});

describe("signing out of a bound session", () => {
  it("needs no proof with the refresh token or the cookie", async () => {
    const session = await boundSession(key, person);
    expect((await post("/auth/logout", { refresh_token: session.refresh })).status).toBe(204);
    expectProblem(await meBound(key, session.access), 401, "invalid_token");
    expectProblem(await refreshedBound(key, session.refresh), 401, "invalid_refresh_token");
    const page = await logInBound(key, person, {}, { headers: ownPage });
    const out = await post("/auth/logout", {}, { headers: ownPage, cookie: cookieOf(page) });
    expect(out.status).toBe(204);
    expect(refreshCookie(out)?.attributes).toContain("max-age=0");
    expectProblem(await meBound(key, text(page, "access_token")), 401, "invalid_token");
  });

  it("needs one with the access token; without it the answer is the same, and nothing ends", async () => {
    const { access, refresh } = await boundSession(key, person);
    const out = (headers: Record<string, string>) => post("/auth/logout", {}, { headers });
    const LOGOUT = { method: "POST", path: "/auth/logout" };
    const attempts: Record<string, string>[] = [
      { authorization: `Bearer ${access}` },
      { authorization: `DPoP ${access}` },
      { authorization: `DPoP ${access}`, dpop: "proof" },
      { authorization: `DPoP ${access}`, dpop: await proofFor(foreign, { ...LOGOUT, access }) },
      { authorization: `DPoP ${access}`, dpop: await proofFor(key, LOGOUT) },
      { authorization: `Bearer ${access}`, dpop: await proofFor(key, { ...LOGOUT, access }) },
    ];
    for (const headers of attempts) {
      expect((await out(headers)).status, JSON.stringify(headers)).toBe(204);
      expect((await meBound(key, access)).status, JSON.stringify(headers)).toBe(200);
    }
    expect((await sendProven(key, "POST", "/auth/logout", {}, { access })).status).toBe(204);
    expectProblem(await meBound(key, access), 401, "invalid_token");
    expectProblem(await refreshedBound(key, refresh), 401, "invalid_refresh_token");
  });
});

describe("a change of password in a bound session", () => {
  it("gives tokens of the same key", async () => {
    const somebody = await verifiedPerson();
    const { access } = await boundSession(key, somebody);
    expectProblem(await changePassword(access, somebody), 401, "invalid_token");
    const body = { current_password: somebody.password, new_password: "three gates of which none is bound" };
    const answer = await sendProven(key, "POST", "/auth/password/change", body, { access });
    await expectBound(answer);
    expectProblem(await refreshed(text(answer, "refresh_token")), 400, "invalid_dpop_proof");
    await expectBound(await refreshedBound(key, text(answer, "refresh_token")));
    expectProblem(await me(text(answer, "access_token")), 401, "invalid_token");
  });
});
