import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Issued, IssuedTokens } from "../../../src/flows/issue.ts";
import type { NewFactor } from "../../../src/flows/new-factor.ts";
import type { PasswordWasReset } from "../../../src/flows/reset-password.ts";
import { answerIssued, newFactorMembers } from "../../../src/http/answer.ts";
import type { Api } from "../../../src/http/context.ts";
import type { Refusal } from "../../../src/refusal.ts";

const BROWSER = { Origin: "https://auth.example.com" };
const COOKIES: IssuedTokens["cookies"] = [{ kind: "recognised", value: "d", maxAgeSeconds: 100 }];
const TOKENS: IssuedTokens = {
  kind: "tokens",
  accessToken: "aaa.bbb.ccc",
  isBound: false,
  toBody: false,
  expiresInSeconds: 300,
  sessionId: "s1",
  refresh: { token: "rt_x", expiresInSeconds: 86_400 },
  cookies: [],
};
const FACTOR = { id: "t1", kind: "totp", label: "Phone", createdAt: 0 } as const;

async function answerOf(issued: Issued | PasswordWasReset | Refusal, headers: Record<string, string> = {}) {
  const app = new Hono<Api>().get("/", (c) => answerIssued(c, issued));
  const answer = await app.request("/", { headers });
  return {
    status: answer.status,
    body: (await answer.json()) as Record<string, unknown>,
    cookies: answer.headers.getSetCookie(),
  };
}

beforeEach(() => {
  vi.spyOn(console, "log").mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("an answer", () => {
  it("with tokens has both in its body, for what is no browser", async () => {
    expect(await answerOf(TOKENS)).toEqual({
      status: 200,
      body: {
        status: "authenticated",
        access_token: "aaa.bbb.ccc",
        token_type: "Bearer",
        expires_in: 300,
        refresh_token: "rt_x",
        refresh_expires_in: 86_400,
        session_id: "s1",
      },
      cookies: [],
    });
  });

  it("with tokens for a browser has the refresh token in a cookie, and in no other place", async () => {
    const { body, cookies } = await answerOf({ ...TOKENS, cookies: COOKIES }, BROWSER);
    expect(JSON.stringify(body)).not.toContain("rt_x");
    expect(body).toMatchObject({ refresh_expires_in: 86_400 });
    expect(cookies.map((cookie) => cookie.split(";")[0])).toEqual([
      "__Host-sallyport_rt=rt_x",
      "__Host-sallyport_dev=d",
    ]);
    expect(cookies[0]).toContain("Max-Age=86400");
  });

  it("to a step-up has an access token and no word of a refresh", async () => {
    const { refresh: _, ...stepUp } = TOKENS;
    const { body, cookies } = await answerOf(stepUp, BROWSER);
    expect(body).toEqual({
      status: "authenticated",
      access_token: "aaa.bbb.ccc",
      token_type: "Bearer",
      expires_in: 300,
      session_id: "s1",
    });
    expect(cookies).toEqual([]);
  });

  it("with a challenge has that alone, and sets no cookie", async () => {
    const challenge = { challengeToken: "ccc", expiresInSeconds: 300, methods: ["totp"] };
    expect(await answerOf({ kind: "challenge", ...challenge }, BROWSER)).toEqual({
      status: 200,
      body: { status: "challenge", challenge_token: "ccc", expires_in: 300, methods: ["totp"] },
      cookies: [],
    });
  });

  it("with the way to add a factor has that alone, and sets no cookie", async () => {
    const enrolment = { enrolmentToken: "eee", expiresInSeconds: 600, methods: ["passkey"] };
    expect(await answerOf({ kind: "enrolment", ...enrolment }, BROWSER)).toEqual({
      status: 200,
      body: { status: "enrolment_required", enrolment_token: "eee", expires_in: 600, methods: ["passkey"] },
      cookies: [],
    });
  });

  it("with tokens says so while a recovery waits, to a step-up as well", async () => {
    const recovery = { finishAfter: 3_600_000 };
    const { refresh: _, ...stepUp } = TOKENS;
    for (const tokens of [TOKENS, stepUp]) {
      expect((await answerOf({ ...tokens, recovery }, BROWSER)).body).toMatchObject({
        recovery: { finish_after: "1970-01-01T01:00:00.000Z" },
      });
    }
  });

  it("to the factor of a reset says that the password counts, and sets no cookie", async () => {
    expect(await answerOf({ kind: "password_reset" }, BROWSER)).toEqual({
      status: 200,
      body: { status: "password_reset" },
      cookies: [],
    });
  });

  it("that refuses is a problem and sets no cookie", async () => {
    const { status, body, cookies } = await answerOf({ refused: "challenge_unknown" }, BROWSER);
    expect([status, body.code, cookies]).toEqual([401, "invalid_challenge", []]);
  });
});

describe("a new factor", () => {
  async function membersOf(factor: NewFactor, headers: Record<string, string> = {}) {
    const app = new Hono<Api>().get("/", (c) => c.json(newFactorMembers(c, factor)));
    const answer = await app.request("/", { headers });
    return { body: (await answer.json()) as Record<string, unknown>, cookies: answer.headers.getSetCookie() };
  }

  it("is active, and its codes are shown with the first one alone", async () => {
    expect(await membersOf({ kind: "active", factor: FACTOR })).toEqual({ body: { status: "active" }, cookies: [] });
    expect((await membersOf({ kind: "active", factor: FACTOR, recoveryCodes: ["X"] })).body).toEqual({
      status: "active",
      recovery_codes: ["X"],
    });
  });

  it("brings tokens where an enrolment token was waiting, and is still called active", async () => {
    const { body } = await membersOf({ kind: "active", factor: FACTOR, tokens: TOKENS });
    expect(body).toMatchObject({ status: "active", access_token: "aaa.bbb.ccc", refresh_token: "rt_x" });
    const inBrowser = await membersOf({ kind: "active", factor: FACTOR, tokens: TOKENS }, BROWSER);
    expect(inBrowser.body).not.toHaveProperty("refresh_token");
    expect(inBrowser.cookies).toHaveLength(1);
  });
});
