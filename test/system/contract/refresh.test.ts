import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import {
  challenged,
  expectProblem,
  me,
  type Person,
  post,
  refreshCookie,
  refreshed,
  type Session,
  sessionOf,
  signedIn,
  signedInTwice,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";

let person: Person;
const newSession = () => signedIn(person);

beforeAll(async () => {
  person = await verifiedPerson();
});

async function expectEnded(...tokens: Session[]): Promise<void> {
  for (const { access, refresh } of tokens) {
    expectProblem(await refreshed(refresh), 401, "invalid_refresh_token");
    expectProblem(await me(access), 401, "invalid_token");
  }
}

// Side by side, because one of them waits eleven seconds; no session of theirs knows of another.
describe.concurrent("refreshing", () => {
  it("gives a token answer of the same session with the next refresh token", async () => {
    const session = await newSession();
    const answer = await refreshed(session.refresh);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body).sort()).toEqual([
      "access_token",
      "expires_in",
      "refresh_expires_in",
      "refresh_token",
      "session_id",
      "status",
      "token_type",
    ]);
    expect(answer.body).toMatchObject({
      status: "authenticated",
      token_type: "Bearer",
      expires_in: 300,
      refresh_expires_in: 86_400,
      session_id: session.id,
    });
    expect(answer.body.refresh_token).not.toBe(session.refresh);
    expect(refreshCookie(answer)).toBeUndefined();
    expect((await me(sessionOf(answer).access)).status).toBe(200);
    expect((await me(session.access)).status).toBe(200);
  });

  it("keeps what two doors have proven", async () => {
    const session = await signedInTwice(await twoFactorPerson());
    const next = sessionOf(await refreshed(session.refresh));
    expect((await me(next.access)).body.acr).toBe("aal2");
  });

  it("heals a lost answer: the token before gives the same successor while that is unused", async () => {
    const session = await newSession();
    const [first, retry, again] = [
      await refreshed(session.refresh),
      await refreshed(session.refresh),
      await refreshed(session.refresh),
    ];
    for (const answer of [retry, again]) {
      expect(answer.status).toBe(200);
      expect(answer.body.refresh_token).toBe(first.body.refresh_token);
    }
    expect((await refreshed(sessionOf(first).refresh)).status).toBe(200);
  });

  it("with the token before, once its successor has been used, is theft: the session ends", async () => {
    const first = await newSession();
    const second = sessionOf(await refreshed(first.refresh));
    const third = sessionOf(await refreshed(second.refresh));
    expect((await me(third.access)).status).toBe(200);
    expectProblem(await refreshed(first.refresh), 401, "invalid_refresh_token");
    await expectEnded(third, second, first);
  });

  it("with an older token ends that session and no other of the account", async () => {
    const [stolen, kept] = [await signedIn(person), await signedIn(person)];
    let latest = stolen;
    for (let i = 0; i < 3; i++) latest = sessionOf(await refreshed(latest.refresh));
    expectProblem(await refreshed(stolen.refresh), 401, "invalid_refresh_token");
    await expectEnded(latest);
    expect((await refreshed(kept.refresh)).status).toBe(200);
  });

  it("with the token before, more than ten seconds late, ends the session though its successor is unused", async () => {
    const first = await newSession();
    const second = sessionOf(await refreshed(first.refresh));
    await sleep(11_000);
    expectProblem(await refreshed(first.refresh), 401, "invalid_refresh_token");
    await expectEnded(second);
  });

  it("refuses every other spelling of the token, and the session does not pay for it", async () => {
    const session = await newSession();
    const { refresh } = session;
    const at = (i: number) => `${refresh.slice(0, i)}${refresh[i] === "A" ? "B" : "A"}${refresh.slice(i + 1)}`;
    const changed = [
      ...[3, 4, 10, 30, 50, 70, 90, 110, refresh.length - 1].map(at),
      `${refresh}=`,
      `${refresh}A`,
      ` ${refresh}`,
      `${refresh} `,
      refresh.slice(0, -1),
      refresh.slice(3),
      refresh.toUpperCase(),
      `rt_${"A".repeat(120)}`,
      "rt_",
      "",
      "undefined",
      "null",
      `rt_${"A".repeat(8_000)}`,
      `${refresh}\u0000`,
    ];
    for (const token of changed) {
      const answer = await refreshed(token);
      // A token of the right shape is "unknown"; one without it may also be called a malformed request.
      expectProblem(answer, answer.status === 400 ? 400 : 401, ["invalid_refresh_token", "invalid_request"]);
    }
    expectProblem(await refreshed(at(60)), 401, "invalid_refresh_token");
    expect(sessionOf(await refreshed(refresh)).id).toBe(session.id);
  });

  it("refuses what is no string, and a body without a token", async () => {
    const { refresh } = await newSession();
    for (const body of [
      { refresh_token: [refresh] },
      { refresh_token: { token: refresh } },
      { refresh_token: null },
      { refresh_token: 1 },
      { refresh_token: refresh, sid: "1" },
      [refresh],
    ]) {
      expectProblem(await post("/auth/refresh", body), 400, "invalid_request");
    }
    const nothing = await post("/auth/refresh", {});
    expect([400, 401]).toContain(nothing.status);
    expect((await refreshed(refresh)).status).toBe(200);
  });

  it("does not turn a waiting challenge into a session", async () => {
    const { session, ...owner } = await twoFactorPerson();
    await challenged(owner);
    expect(sessionOf(await refreshed(session.refresh)).id).toBe(session.id);
  });
});
