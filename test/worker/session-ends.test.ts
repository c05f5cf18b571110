import { describe, expect, it } from "vitest";
import { makeRefreshToken, readRefreshToken } from "../../src/tokens/refresh-token.ts";
import { answer, call, ISSUER, logIn, newGuardedPerson, newPerson, ring, send, signIn } from "../support/in-worker.ts";
import { guardOf } from "./support/account.ts";
import { Browser } from "./support/browser.ts";

describe("ending all other sessions", () => {
  it("ends the sign-ins that are half way, too", async () => {
    const person = await newGuardedPerson();
    const bearer = (await signIn(person, 0)).body.access_token as string;
    const halfWay = (await logIn(person)).body.challenge_token as string;
    expect((await call("/auth/sessions", undefined, { method: "DELETE", bearer })).status).toBe(204);
    expect((await answer(halfWay, person.code(1))).body.code).toBe("invalid_challenge");
    expect((await call("/auth/me", undefined, { bearer })).status).toBe(200);
  });
});

describe("signing out", () => {
  it.each([
    { what: "no body", body: null, headers: {} },
    { what: "an empty body", body: "", headers: {} },
    { what: "an empty body of type JSON", body: "", headers: { "Content-Type": "application/json" } },
    { what: "an empty object", body: "{}", headers: { "Content-Type": "application/json" } },
  ])("with a bearer token and $what ends the session", async ({ body, headers }) => {
    const person = await newPerson();
    const bearer = (await logIn(person)).body.access_token as string;
    const init = { method: "POST", headers: { ...headers, Authorization: `Bearer ${bearer}` }, body };
    expect((await send(new Request(`${ISSUER}/auth/logout`, init))).status).toBe(204);
    expect((await call("/auth/me", undefined, { bearer })).status).toBe(401);
  });
});

describe("a session that is gone", () => {
  it("leaves nothing of itself in the guard row, however it went", async () => {
    const person = await newPerson();
    for (let i = 0; i < 26; i += 1) {
      const bearer = (await logIn(person)).body.access_token as string;
      await call("/auth/step-up", { password: "not the right password" }, { bearer });
      if (i % 9 === 0) await call("/auth/logout", {}, { bearer });
    }
    expect(Object.keys((await guardOf(person)).pots).length).toBeLessThanOrEqual(20);
  });

  it("takes its step-up challenge with it, and the code is not tried", async () => {
    const person = await newGuardedPerson();
    const bearer = (await signIn(person, 0)).body.access_token as string;
    const stepUp = (await call("/auth/step-up", {}, { bearer })).body.challenge_token as string;
    await call("/auth/logout", {}, { bearer });
    expect((await answer(stepUp, person.code(1))).body.code).toBe("invalid_challenge");
    expect(Object.keys((await guardOf(person)).pots)).toEqual([]);
    expect((await signIn(person, 1)).status).toBe(200);
  });
});

describe("a refresh cookie", () => {
  const name = "__Host-sallyport_rt";

  async function withCookie(cookie: (token: string) => string) {
    const { body } = await logIn(await newPerson());
    const headers = { Origin: ISSUER, Cookie: cookie(body.refresh_token as string) };
    return call("/auth/refresh", {}, { headers });
  }

  // For the browser such a name has no `__Host-` prefix, so a sibling host may have set it.
  it.each(["\u00a0", "\u2000", "\u3000", "\ufeff", "\u2028", "\u1680", "\u000b", "\u000c"])(
    "behind the white space %j is not ours",
    async (space) => {
      let status: number;
      try {
        ({ status } = await withCookie((token) => `${space}${name}=${token}`));
      } catch {
        status = 401; // The runtime does not even carry such a header.
      }
      expect(status).toBe(401);
    },
  );

  it("of a later epoch stays: this isolate has not heard of the emergency drop yet", async () => {
    const browser = new Browser();
    await logIn(await newPerson(), { browser });
    const keys = await ring();
    const parts = await readRefreshToken(keys, browser.cookies.get(name) ?? "");
    if (!parts || "laterEpoch" in parts) throw new Error("no refresh token");
    browser.cookies.set(name, await makeRefreshToken({ ...keys, epoch: keys.epoch + 1 }, parts));
    const { status, headers } = await call("/auth/refresh", {}, { browser });
    expect([status, headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(browser.cookies.has(name)).toBe(true);
    // Whoever wants it ended has it ended, drop or no drop.
    const { body } = await logIn(await newPerson());
    const other = await readRefreshToken(keys, String(body.refresh_token));
    if (!other || "laterEpoch" in other) throw new Error("no refresh token");
    const refresh_token = await makeRefreshToken({ ...keys, epoch: keys.epoch + 1 }, other);
    expect((await call("/auth/logout", { refresh_token })).status).toBe(204);
    expect((await call("/auth/me", undefined, { bearer: body.access_token })).status).toBe(401);
    browser.cookies.set(name, await makeRefreshToken({ ...keys, epoch: keys.epoch - 1 }, parts));
    expect((await call("/auth/refresh", {}, { browser })).status).toBe(401);
    expect(browser.cookies.has(name)).toBe(false);
  });

  it("behind spaces and tabs, among others, is", async () => {
    expect((await withCookie((token) => `a=b; \t${name}=${token}; c=d`)).status).toBe(200);
  });

  it.each([
    { what: "twice in a line", cookie: (token: string) => `${name}=${token}; ${name}=${token}` },
    { what: "in two lines", cookie: (token: string) => `${name}=${token}, ${name}=${token}` },
  ])("$what is refused, and nothing has rotated", async ({ cookie }) => {
    const refused = await withCookie(cookie);
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(refused.headers.get("Set-Cookie")).toBeNull();
  });
});

it("no token is older than the proof it tells of", async () => {
  for (let i = 0; i < 5; i += 1) {
    const { body } = await logIn(await newPerson());
    const claims = JSON.parse(atob((body.access_token as string).split(".")[1] ?? "")) as Record<string, number>;
    expect(claims.iat).toBeGreaterThanOrEqual(claims.auth_time ?? Number.POSITIVE_INFINITY);
  }
});
