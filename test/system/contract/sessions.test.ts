import { beforeAll, describe, expect, it } from "vitest";
import {
  cookieOf,
  distinguishable,
  expectProblem,
  get,
  logIn,
  me,
  ownPage,
  post,
  refreshCookie,
  refreshed,
  type Session,
  send,
  sessionOf,
  sessionsOf,
  signedIn,
  signedInTwice,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";

const end = (access: string, id: string) => send("DELETE", `/auth/sessions/${id}`, undefined, { bearer: access });
const endOthers = (access: string) => send("DELETE", "/auth/sessions", undefined, { bearer: access });
const expectDone = (answer: { status: number }) => expect([200, 204]).toContain(answer.status);

async function expectEnded(session: Session): Promise<void> {
  expectProblem(await me(session.access), 401, "invalid_token");
  expectProblem(await get("/auth/sessions", { bearer: session.access }), 401, "invalid_token");
  expectProblem(await refreshed(session.refresh), 401, "invalid_refresh_token");
}

describe("the sessions of an account", () => {
  it("are listed with the present one marked", async () => {
    const person = await verifiedPerson();
    const [one, other] = [await signedIn(person), await signedIn(person)];
    const listed = await sessionsOf(one.access);
    expect(listed.map((session) => session.id).sort()).toEqual([one.id, other.id].sort());
    expect(listed.filter((session) => session.current === true).map((session) => session.id)).toEqual([one.id]);
    const answer = await get("/auth/sessions", { bearer: one.access });
    for (const secret of [one.refresh, other.refresh, one.access]) expect(answer.text).not.toContain(secret);
  });

  it("end one at a time, at once", async () => {
    const person = await verifiedPerson();
    const [mine, lost] = [await signedIn(person), await signedIn(person)];
    expectDone(await end(mine.access, lost.id));
    await expectEnded(lost);
    expect((await me(mine.access)).status).toBe(200);
    expect((await sessionsOf(mine.access)).length).toBe(1);
    expectProblem(await end(mine.access, lost.id), 404, "not_found");
  });

  it("end all but the present one together, behind two doors too", async () => {
    const person = await twoFactorPerson();
    const mine = await signedInTwice(person);
    expectDone(await endOthers(mine.access));
    await expectEnded(person.session);
    expect((await refreshed(mine.refresh)).status).toBe(200);
    expect((await sessionsOf(mine.access)).map((session) => session.id)).toEqual([mine.id]);
  });

  it("may include the present one when it is named", async () => {
    const session = await signedIn(await verifiedPerson());
    expectDone(await end(session.access, session.id));
    await expectEnded(session);
  });

  it("of somebody else cannot be told from sessions that never were", async () => {
    const [ada, eve, gone] = [await verifiedPerson(), await verifiedPerson(), await verifiedPerson()];
    const [hers, mine, ended] = [await signedIn(ada), await signedIn(eve), await signedIn(gone)];
    await post("/auth/logout", { refresh_token: ended.refresh });
    const [foreign, unknown] = [await end(mine.access, hers.id), await end(mine.access, ended.id)];
    expectProblem(foreign, 404, "not_found");
    expect(distinguishable(foreign)).toEqual(distinguishable(unknown));
    expect((await me(hers.access)).status).toBe(200);
    expect((await sessionsOf(mine.access)).map((session) => session.id)).toEqual([mine.id]);
  });

  it("with odd ids are not found, and nothing breaks", async () => {
    const session = await signedIn(await verifiedPerson());
    for (const id of [
      "'",
      "%27%20OR%201=1--",
      "x".repeat(600),
      "%00",
      "..%2f..%2fme",
      "__proto__",
      "a:b",
      "%F0%9F%9A%AA",
      "%ff",
      "*",
      "null",
      "undefined",
    ]) {
      const answer = await end(session.access, id);
      expect([400, 404], id).toContain(answer.status);
    }
    expect((await me(session.access)).status).toBe(200);
  });
});

describe("signing out", () => {
  let person: Awaited<ReturnType<typeof verifiedPerson>>;
  beforeAll(async () => {
    person = await verifiedPerson();
  });

  it("with the refresh token ends the session on the service", async () => {
    const session = await signedIn(person);
    const answer = await post("/auth/logout", { refresh_token: session.refresh });
    expect(answer.status).toBe(204);
    expect(answer.text).toBe("");
    await expectEnded(session);
  });

  it("with an access token ends its session", async () => {
    const session = await signedIn(person);
    expect((await post("/auth/logout", {}, { bearer: session.access })).status).toBe(204);
    await expectEnded(session);
  });

  it("with the cookie alone ends the session and takes the cookie back with the same attributes", async () => {
    const page = await logIn(person, {}, { headers: ownPage });
    const access = text(page, "access_token");
    const answer = await post("/auth/logout", {}, { headers: ownPage, cookie: cookieOf(page) });
    expect(answer.status).toBe(204);
    const cleared = refreshCookie(answer);
    expect(cleared?.value).toBe("");
    expect(cleared?.attributes).toEqual(
      expect.arrayContaining(["secure", "httponly", "samesite=strict", "path=/", "max-age=0"]),
    );
    expect(cleared?.attributes.some((attribute) => attribute.startsWith("domain"))).toBe(false);
    expect(answer.headers.get("clear-site-data")).toMatch(/"/);
    expectProblem(await me(access), 401, "invalid_token");
    expectProblem(
      await post("/auth/refresh", {}, { headers: ownPage, cookie: cookieOf(page) }),
      401,
      "invalid_refresh_token",
    );
  });

  it("with a rotated token ends the session all the same", async () => {
    const session = await signedIn(person);
    const next = sessionOf(await refreshed(session.refresh));
    expect((await post("/auth/logout", { refresh_token: next.refresh })).status).toBe(204);
    await expectEnded(next);
    await expectEnded(session);
  });

  it("answers 204 whatever the credential is worth", async () => {
    const session = await signedIn(person);
    const dead = await signedIn(person);
    await post("/auth/logout", { refresh_token: dead.refresh });
    const forged = `${session.refresh.slice(0, -1)}${session.refresh.endsWith("A") ? "B" : "A"}`;
    for (const token of [dead.refresh, forged, `rt_${"A".repeat(120)}`]) {
      expect((await post("/auth/logout", { refresh_token: token })).status, token).toBe(204);
      expect(
        (await post("/auth/logout", {}, { headers: ownPage, cookie: `__Host-sallyport_rt=${token}` })).status,
        token,
      ).toBe(204);
    }
    for (const bearer of [dead.access, `${session.access.slice(0, -4)}AAAA`, "a.b.c"]) {
      expect((await post("/auth/logout", {}, { bearer })).status, bearer).toBe(204);
    }
    expect((await me(session.access)).status).toBe(200);
  });

  it("of one session leaves the others", async () => {
    const [one, other] = [await signedIn(person), await signedIn(person)];
    await post("/auth/logout", { refresh_token: one.refresh });
    await expectEnded(one);
    expect((await me(other.access)).status).toBe(200);
  });
});
