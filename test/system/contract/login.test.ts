import { beforeAll, describe, expect, it } from "vitest";
import {
  challenged,
  distinguishable,
  expectProblem,
  logIn,
  me,
  newPerson,
  ownPage,
  type Person,
  refreshCookie,
  refreshed,
  registered,
  sessionOf,
  signedIn,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";

const tokenMembers = [
  "access_token",
  "expires_in",
  "refresh_expires_in",
  "refresh_token",
  "session_id",
  "status",
  "token_type",
];

describe("signing in without a factor", () => {
  let person: Person;
  beforeAll(async () => {
    person = await verifiedPerson();
  });

  it("gives a client that is no browser exactly the token answer, and no cookie", async () => {
    const answer = await logIn(person);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body).sort()).toEqual(tokenMembers);
    expect(answer.body).toMatchObject({
      status: "authenticated",
      token_type: "Bearer",
      expires_in: 300,
      refresh_expires_in: 86_400,
    });
    expect(answer.body.refresh_token).toMatch(/^rt_[A-Za-z0-9_-]+$/);
    expect(refreshCookie(answer)).toBeUndefined();
    expect((await me(text(answer, "access_token"))).status).toBe(200);
  });

  it("gives a browser the refresh token as a cookie and not in the body", async () => {
    // "A browser request has an Origin or a Sec-Fetch-Site header": either alone is enough.
    for (const headers of [ownPage, { origin: ownPage.origin }, { "sec-fetch-site": "same-origin" }]) {
      const answer = await logIn(person, {}, { headers });
      expect(answer.status, answer.text).toBe(200);
      const members = Object.keys(answer.body).filter((member) => member !== "refresh_expires_in");
      expect(members.sort()).toEqual(["access_token", "expires_in", "session_id", "status", "token_type"]);
      expect(answer.text).not.toContain("rt_");
      expect(refreshCookie(answer)?.value).toMatch(/^rt_[A-Za-z0-9_-]+$/);
    }
  });

  it("with remember lasts fourteen days of idling, without it one", async () => {
    const remembered = await logIn(person, { remember: true });
    expect(remembered.body.refresh_expires_in).toBe(14 * 86_400);
    expect((await refreshed(text(remembered, "refresh_token"))).body.refresh_expires_in).toBe(14 * 86_400);
    expect((await logIn(person, { remember: false })).body.refresh_expires_in).toBe(86_400);
    const page = await logIn(person, { remember: true }, { headers: ownPage });
    expect(refreshCookie(page)?.attributes).toContain(`max-age=${14 * 86_400}`);
  });

  it("makes a session of its own each time, whatever cookie the client brought", async () => {
    const victim = await logIn(person, {}, { headers: ownPage });
    const planted = refreshCookie(victim)?.value ?? "";
    const again = await logIn(
      person,
      {},
      { headers: ownPage, cookie: `__Host-sallyport_rt=${planted}; sid=${victim.body.session_id}` },
    );
    expect(again.body.session_id).not.toBe(victim.body.session_id);
    expect(refreshCookie(again)?.value).not.toBe(planted);
    const invented = await logIn(person, {}, { headers: ownPage, cookie: "__Host-sallyport_rt=rt_invented" });
    expect(refreshCookie(invented)?.value).not.toBe("rt_invented");
  });

  it("keeps at most twenty sessions: the oldest ends", async () => {
    const busy = await verifiedPerson();
    const [first, second] = [await signedIn(busy), await signedIn(busy)];
    for (let i = 3; i <= 20; i++) await signedIn(busy);
    expect((await me(first.access)).status).toBe(200);
    const last = await signedIn(busy);
    expectProblem(await me(first.access), 401, "invalid_token");
    expectProblem(await refreshed(first.refresh), 401, "invalid_refresh_token");
    expect((await me(second.access)).status).toBe(200);
    expect((await me(last.access)).status).toBe(200);
  });
});

describe("a sign-in that fails", () => {
  it("looks the same for an unknown address, a wrong password, an unverified account and one behind two doors", async () => {
    const [verified, unverified, protectedOne] = [await verifiedPerson(), newPerson(), await twoFactorPerson()];
    await registered(unverified);
    const wrong = { password: "not the password" };
    const reference = await logIn(newPerson());
    expectProblem(reference, 401, "sign_in_failed");
    const others = [
      await logIn({ ...verified, ...wrong }),
      await logIn({ ...unverified, ...wrong }),
      await logIn(unverified),
      await logIn({ ...protectedOne, ...wrong }),
    ];
    for (const answer of others) expect(distinguishable(answer)).toEqual(distinguishable(reference));
    for (const answer of others)
      expect(answer.headers.get("x-request-id")).not.toBe(reference.headers.get("x-request-id"));
  });

  it("looks the same to a browser, which gets no cookie from it", async () => {
    const verified = await verifiedPerson();
    const [unknown, wrong] = [
      await logIn(newPerson(), {}, { headers: ownPage }),
      await logIn({ ...verified, password: "not the password" }, {}, { headers: ownPage }),
    ];
    expect(distinguishable(wrong)).toEqual(distinguishable(unknown));
    expect(unknown.headers.getSetCookie()).toEqual([]);
  });

  it("does not depend on members that would decide for the service", async () => {
    const person = await twoFactorPerson();
    const overrides = {
      mfa: false,
      mfa_required: false,
      factor: "none",
      verified: true,
      userId: "1",
      acr: "aal2",
      roles: ["admin"],
      second_factor: "off",
    };
    for (const [member, value] of Object.entries(overrides)) {
      expectProblem(await logIn(person, { [member]: value }, { source: newPerson().source }), 400, "invalid_request");
    }
    expect(await challenged(person)).toMatch(/./);
  });

  it("does not touch the sessions the account has", async () => {
    const person = await verifiedPerson();
    const session = await signedIn(person);
    for (let i = 0; i < 6; i++) await logIn({ ...person, password: "not the password", source: newPerson().source });
    expect((await me(session.access)).status).toBe(200);
    expect(sessionOf(await refreshed(session.refresh)).id).toBe(session.id);
    expect((await logIn(person)).status).toBe(200);
  });
});
