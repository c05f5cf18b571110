import { decodeProtectedHeader } from "jose";
import { describe, expect, it } from "vitest";
import { Browser } from "../../support/browser.ts";
import {
  expectProblem,
  get,
  issuer,
  me,
  ordinaryLines,
  ownPage,
  post,
  refreshed,
  type Session,
  send,
  sendRaw,
  sessionOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  changePassword,
  deleteAccount,
  freeze,
  freezeLink,
  plainPerson,
  resetByMail,
  withPassword,
} from "../../support/life-client.ts";
import { becomesListed, isListed, publishedKeys, REVOKED, revokedFeed } from "../../support/published.ts";
import { coveredPerson, recoverySession, steppedUp, turnOff } from "../../support/recovery-client.ts";

/** A session that is over as soon as it has begun, by logout. */
async function endedSession(): Promise<Session> {
  const session = await signedIn(await verifiedPerson());
  expect((await post("/auth/logout", { refresh_token: session.refresh })).status).toBe(204);
  return session;
}

describe("the feed of ended sessions", () => {
  it("is a statement of the issuer, signed by the key that signs access tokens, and short-lived", async () => {
    const session = await endedSession();
    const { answer, header, claims } = await revokedFeed();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^application\/jwt$/);
    expect(answer.text).toMatch(/^[\w-]+\.[\w-]+\.[\w-]{86}$/);
    expect(header).toEqual({ alg: "ES256", typ: "revoked+jwt", kid: decodeProtectedHeader(session.access).kid });
    expect((await publishedKeys()).map(({ kid }) => kid)).toContain(header.kid);
    expect(Object.keys(claims).sort()).toEqual(["exp", "iat", "iss", "not_before", "sids"]);
    expect(claims.iss).toBe(issuer);
    expect(claims.exp - claims.iat).toBe(120);
    expect(Math.abs(claims.iat - Date.now() / 1000)).toBeLessThan(15);
    expect(claims.not_before).toBe(0);
    expect(claims.sids.length).toBeGreaterThan(0);
    expect(claims.sids).toEqual([...new Set(claims.sids)].sort());
    for (const sid of claims.sids) expect(sid).toSatisfy((id: unknown) => typeof id === "string" && id !== "");
  });

  it("may be kept for ten seconds, by anybody, and is the same for everybody", async () => {
    await endedSession();
    const variants: Record<string, string>[] = [
      {},
      { origin: "https://evil.example" },
      ownPage,
      { accept: "text/html" },
      { "x-forwarded-host": "evil.example", forwarded: "host=evil.example" },
      { cookie: "__Host-sallyport_rt=rt_AAAA" },
    ];
    for (const headers of variants) {
      for (const path of [REVOKED, `${REVOKED}?sid=1&x=https://evil.example`]) {
        const answer = await get(path, { headers });
        expect(answer.status).toBe(200);
        expect(answer.headers.get("cache-control")).toBe("public, max-age=10");
        expect(answer.headers.get("access-control-allow-origin")).toBe("*");
        expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
        expect(answer.headers.getSetCookie()).toEqual([]);
        expect(answer.headers.get("vary")).toBeNull();
        const [, payload = ""] = answer.text.split(".");
        expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({ iss: issuer, not_before: 0 });
      }
    }
    const head = await send("HEAD", REVOKED);
    expect({ status: head.status, text: head.text }).toEqual({ status: 200, text: "" });
    expectProblem(await post(REVOKED, {}), 405, "method_not_allowed");
    const lines = ordinaryLines().filter(([name]) => name !== "Host");
    expectProblem(await sendRaw("GET", REVOKED, [["Host", "evil.example"], ...lines]), 421, "misdirected_request");
    for (const neighbour of ["/.css", ";.css", "/"])
      expect([400, 404], neighbour).toContain((await get(`${REVOKED}${neighbour}`)).status);
  });

  it("is no token for anything", async () => {
    const feed = (await revokedFeed()).answer.text;
    expectProblem(await me(feed), 401, "invalid_token");
    expectProblem(await refreshed(feed), 401, ["invalid_refresh_token"]);
    const body = { challenge_token: feed, method: "totp", code: "123456" };
    expectProblem(await post("/auth/2fa/verify", body), 401, "invalid_challenge");
  });

  it("names no session that lives, nor one that has only been refreshed", async () => {
    const session = await signedIn(await verifiedPerson());
    const next = sessionOf(await refreshed(session.refresh));
    const ended = await endedSession();
    expect(await becomesListed(ended.id)).toBe(true);
    expect(await isListed(session.id)).toBe(false);
    expect((await me(next.access)).status).toBe(200);
  });
});

describe("a session is named there", () => {
  it("as soon as its logout is answered", async () => {
    expect(await isListed((await endedSession()).id)).toBe(true);
    const bearer = await signedIn(await verifiedPerson());
    expect((await post("/auth/logout", {}, { bearer: bearer.access })).status).toBe(204);
    expect(await isListed(bearer.id)).toBe(true);
    const browser = new Browser();
    const id = text(await browser.logIn(await verifiedPerson()), "session_id");
    expect((await browser.post("/auth/logout", {})).status).toBe(204);
    expect(await isListed(id)).toBe(true);
  });

  it("as soon as it has been ended from the list of sessions, alone or with all others", async () => {
    const person = await verifiedPerson();
    const [mine, one, two, three] = [
      await signedIn(person),
      await signedIn(person),
      await signedIn(person),
      await signedIn(person),
    ];
    const ended = await send("DELETE", `/auth/sessions/${one.id}`, undefined, { bearer: mine.access });
    expect(ended.status).toBe(204);
    expect(await isListed(one.id)).toBe(true);
    expect(await isListed(two.id)).toBe(false);
    const others = await send("DELETE", "/auth/sessions", undefined, { bearer: mine.access });
    expect([200, 204]).toContain(others.status);
    for (const { id } of [two, three]) expect(await isListed(id)).toBe(true);
    expect(await isListed(mine.id)).toBe(false);
    await send("DELETE", `/auth/sessions/${mine.id}`, undefined, { bearer: mine.access });
    expect(await isListed(mine.id)).toBe(true);
  });

  it("after a refresh token has come back", async () => {
    const stolen = await signedIn(await verifiedPerson());
    const next = sessionOf(await refreshed(stolen.refresh));
    await refreshed(next.refresh);
    expect(await isListed(stolen.id)).toBe(false);
    expectProblem(await refreshed(stolen.refresh), 401, "invalid_refresh_token");
    expect(await becomesListed(stolen.id)).toBe(true);
  });

  it("after a change of password, but for the session that goes on", async () => {
    const { session, ...person } = await plainPerson();
    const other = await signedIn(person);
    const answer = await changePassword(session.access, person);
    expect(answer.status, answer.text).toBe(200);
    for (const { id } of [session, other]) expect(await becomesListed(id)).toBe(true);
    expect(await isListed(sessionOf(answer).id)).toBe(false);
  });

  it("after a reset of the password", async () => {
    const { session, ...person } = await plainPerson();
    await resetByMail(person);
    expectProblem(await me(session.access), 401, "invalid_token");
    expect(await becomesListed(session.id)).toBe(true);
  });

  it("after the owner has said that it was somebody else", async () => {
    const { session, ...person } = await plainPerson();
    const link = await freezeLink(person, session.access);
    const next = await signedIn(withPassword(person));
    expect((await freeze(link)).status).toBe(200);
    expectProblem(await me(next.access), 401, "invalid_token");
    expect(await becomesListed(next.id)).toBe(true);
  });

  it("after the account has been given up", async () => {
    const { session } = await plainPerson();
    expect((await deleteAccount(session.access)).status).toBe(202);
    expect(await becomesListed(session.id)).toBe(true);
  });

  it("after the factors of the account have been, but for the session that did it", async () => {
    const person = await coveredPerson();
    const other = await recoverySession(person);
    const access = await steppedUp(person.session.access, person.authenticator);
    expect((await turnOff(access)).status).toBeLessThan(300);
    expectProblem(await me(other.access), 401, "invalid_token");
    expect(await becomesListed(other.id)).toBe(true);
    expect((await me(access)).status).toBe(200);
    expect(await isListed(person.session.id)).toBe(false);
  });
});
