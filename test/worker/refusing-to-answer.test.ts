import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { call, ISSUER, newPerson, send } from "../support/in-worker.ts";

afterEach(() => vi.restoreAllMocks());

function request(url: string, headers: Record<string, string> = {}): Request {
  return new Request(url, { headers: { "CF-Connecting-IP": "192.0.2.1", ...headers } });
}

/** The settings of this run with some changed. */
function withSettings(settings: Record<string, unknown>): object {
  return { ...env, ...settings };
}

describe("a Worker with a bad root secret", () => {
  it.each([
    { secret: undefined, why: "missing" },
    { secret: "", why: "missing" },
    { secret: "c2hvcnQ", why: "too short" },
    { secret: "A".repeat(43), why: "repeats" },
    { secret: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", why: "counts" },
    { secret: "Y2hhbmdlLW1lLWNoYW5nZS1tZS1jaGFuZ2UtbWUtcGxlYXNlIQ", why: "text|repeats" },
    { secret: "not base64url at all, but long enough to be a secret", why: "base64url" },
  ])("answers nothing but 503 when it $why", async ({ secret, why }) => {
    const log = vi.spyOn(console, "log");
    for (const path of ["/healthz", "/auth/config", "/.well-known/jwks.json", "/nowhere"]) {
      const { status, body, headers } = await send(request(`${ISSUER}${path}`), withSettings({ ROOT_SECRET: secret }));
      expect(status).toBe(503);
      expect(body.code).toBe("unavailable");
      expect(headers.get("Retry-After")).not.toBeNull();
    }
    const lines = log.mock.calls.flat().map(String);
    const line = lines.find((one) => one.includes("misconfigured") && one.includes("ROOT_SECRET"));
    expect(line).toMatch(new RegExp(why));
    if (secret) expect(lines.join("\n")).not.toContain(secret);
  });

  it("answers with the right one", async () => {
    expect((await send(request(`${ISSUER}/healthz`), withSettings({}))).status).toBe(200);
  });

  it("names every setting that is wrong", async () => {
    const log = vi.spyOn(console, "log");
    const wrong = {
      ISSUER: "http://auth.example.com/",
      PROFILE: "lax",
      ACCESS_TOKEN_TTL: "86400",
      SECOND_FACTOR: "always",
      RP_ID: "example.com",
      PASSKEY_ORIGINS: "https://auth.example.com/sign-in",
      TRUSTED_BROWSER_DAYS: "91",
    };
    expect((await send(request(`${ISSUER}/healthz`), withSettings(wrong))).status).toBe(503);
    const text = log.mock.calls.flat().join("\n");
    for (const name of Object.keys(wrong)) expect(text).toContain(name);
  });
});

it.each(["optional", "required", "passkey"])("a Worker whose SECOND_FACTOR is %s answers", async (policy) => {
  const config = await call("/auth/config", undefined, { bindings: withSettings({ SECOND_FACTOR: policy }) });
  expect(config).toMatchObject({ status: 200, body: { second_factor: policy } });
});

describe("an issuer that is not localhost", () => {
  const production = withSettings({
    ISSUER: "https://auth.example.com",
    MAIL_TRANSPORT: "binding",
    MAIL_FROM: "auth@example.com",
  });

  it("refuses plain HTTP", async () => {
    const plain = await send(request("http://auth.example.com/auth/config"), production);
    expect(plain).toMatchObject({ status: 403, body: { code: "https_required" } });
    expect((await send(request("https://auth.example.com/auth/config"), production)).status).toBe(200);
  });

  it.each(["https://other.example.com", "https://auth.example.com:8443", "https://auth.example.com.evil.example"])(
    "does not answer for %s",
    async (origin) => {
      const headers = { "X-Forwarded-Host": "auth.example.com", Forwarded: "host=auth.example.com" };
      const answer = await send(request(`${origin}/.well-known/jwks.json`, headers), production);
      expect(answer).toMatchObject({ status: 421, body: { code: "misdirected_request" } });
    },
  );

  it("has no development mailbox, neither as a route nor as a transport", async () => {
    const mailbox = await send(request("https://auth.example.com/dev/mailbox?to=a@example.com"), production);
    expect(mailbox).toMatchObject({ status: 404, body: { code: "not_found" } });
    const settings = { ISSUER: "https://auth.example.com", MAIL_TRANSPORT: "mailbox" };
    expect((await send(request("https://auth.example.com/healthz"), withSettings(settings))).status).toBe(503);
  });
});

describe("a page of another origin", () => {
  it.each([
    "https://localhost",
    "HTTP://LOCALHOST",
    "http://localhost:80",
    "http://localhost.",
    "http://localhost/",
    "http://localhost.evil.example",
    "null",
    "",
    "http://localhost, http://localhost",
  ])("is refused, and CORS allows it nothing: %j", async (origin) => {
    for (const options of [{}, { method: "OPTIONS" }]) {
      const headers = { Origin: origin, "Access-Control-Request-Method": "POST" };
      const { status, headers: answered } = await call("/auth/config", undefined, { ...options, headers });
      expect(status).toBe(403);
      expect(answered.get("Access-Control-Allow-Origin")).toBeNull();
      expect(answered.get("Access-Control-Allow-Credentials")).toBeNull();
      expect(answered.get("Vary")).toContain("Origin");
    }
  });

  it("is let in when it is listed, exactly", async () => {
    const bindings = withSettings({ ALLOWED_ORIGINS: "https://app.example.com, https://admin.example.com" });
    const listed = await call("/auth/config", undefined, { bindings, headers: { Origin: "https://app.example.com" } });
    expect(listed.headers.get("Access-Control-Allow-Origin")).toBe("https://app.example.com");
    const other = await call("/auth/config", undefined, { bindings, headers: { Origin: "https://app.example.co" } });
    expect(other.status).toBe(403);
  });
});

describe("a store that does not answer", () => {
  const broken = () => Promise.reject(new Error("no answer"));

  it.each([
    ["DB", "database"],
    ["EVENTS", "events"],
  ])("is named by readyz, while healthz goes on: %s", async (binding, store) => {
    const bindings = withSettings({ [binding]: { prepare: () => ({ first: broken }) } });
    const ready = await call("/readyz", undefined, { bindings });
    expect(ready).toMatchObject({ status: 503, body: { code: "unavailable", store } });
    expect((await call("/healthz", undefined, { bindings })).status).toBe(200);
    expect((await call("/readyz")).status).toBe(200);
  });

  it("costs a sign-in its tokens and says 503, without a stack or a reason", async () => {
    const person = await newPerson();
    const body = { email: person.email, password: person.password };
    const stub = new Proxy({}, { get: () => broken });
    for (const bindings of [
      withSettings({ ACCOUNTS: { getByName: () => stub } }),
      withSettings({ GATES: { getByName: () => stub } }),
      withSettings({ DB: { prepare: () => ({ bind: () => ({ first: broken }) }) } }),
    ]) {
      const answer = await call("/auth/login", body, { bindings });
      expect(answer).toMatchObject({ status: 503, body: { code: "unavailable" } });
      expect(answer.text).not.toMatch(/token"|no answer|at /);
    }
    expect((await call("/auth/login", body)).status).toBe(200);
  });
});
