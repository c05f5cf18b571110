import { calculateJwkThumbprint } from "jose";
import { describe, expect, it } from "vitest";
import {
  distinguishable,
  expectProblem,
  get,
  issuer,
  type Json,
  mailsTo,
  newPerson,
  ordinaryLines,
  post,
  send,
  sendRaw,
} from "../../support/client.ts";

const jwksPath = "/.well-known/jwks.json";

describe("health", () => {
  it("answers healthz with its status and nothing else", async () => {
    const answer = await get("/healthz");
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ status: "ok" });
  });

  it("is ready when every store answers", async () => {
    expect((await get("/readyz")).status).toBe(200);
  });
});

describe("auth/config", () => {
  it("tells a page the defaults of the settings table, without a bot check", async () => {
    const answer = await get("/auth/config");
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      password_min: 12,
      methods: expect.arrayContaining(["totp"]),
      second_factor: "optional",
      registration: "open",
      trusted_browser_days: 0,
    });
  });
});

describe("JWKS", () => {
  it("publishes ES256 keys with exactly the public members and the thumbprint as their id", async () => {
    const answer = await get(jwksPath);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body)).toEqual(["keys"]);
    const keys = answer.body.keys as Json[];
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      expect(Object.keys(key).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
      expect(key).toMatchObject({ kty: "EC", crv: "P-256", use: "sig", alg: "ES256" });
      expect(key.kid).toBe(await calculateJwkThumbprint(key as { kty: string }, "sha256"));
    }
    expect(new Set(keys.map((key) => key.kid)).size).toBe(keys.length);
  });

  it("is cacheable by everyone and readable from every origin without credentials", async () => {
    const answer = await get(jwksPath, { headers: { origin: "https://app.example" } });
    expect(answer.headers.get("cache-control")).toBe("public, max-age=300, stale-while-revalidate=60");
    expect(answer.headers.get("etag")).toMatch(/^(W\/)?"[^"]+"$/);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(answer.headers.get("content-type")).toMatch(/\bjson\b/);
  });

  it("gives the same bytes whatever the query, the forwarding headers, the origin or the accepted type say", async () => {
    const plain = await get(jwksPath);
    const variants = [
      await get(`${jwksPath}?x=1&kid=../../etc/passwd`),
      await get(jwksPath, { headers: { "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" } }),
      await get(jwksPath, { headers: { forwarded: "host=evil.example", "x-original-url": "/auth/me" } }),
      await get(jwksPath, { headers: { origin: "https://evil.example" } }),
      await get(jwksPath, { headers: { accept: "text/html" } }),
      await get(jwksPath, { cookie: "__Host-sallyport_rt=rt_AAAA" }),
    ];
    for (const variant of variants) {
      expect(variant.status).toBe(200);
      expect(variant.text).toBe(plain.text);
      expect(variant.headers.get("etag")).toBe(plain.headers.get("etag"));
      expect(variant.headers.get("access-control-allow-origin")).toBe("*");
      expect(variant.headers.getSetCookie()).toEqual([]);
    }
  });

  it("answers HEAD like GET without a body", async () => {
    const answer = await send("HEAD", jwksPath);
    expect(answer.status).toBe(200);
    expect(answer.text).toBe("");
    expect(answer.headers.get("cache-control")).toBe("public, max-age=300, stale-while-revalidate=60");
  });

  it("has no neighbours a cache could mistake for it", async () => {
    for (const path of [`${jwksPath}/.css`, `${jwksPath};.css`, `${jwksPath}/`, `${jwksPath}%00.css`]) {
      const answer = await get(path);
      expect([400, 404], path).toContain(answer.status);
      expect(answer.headers.get("cache-control"), path).toMatch(/no-store/);
    }
  });
});

describe("the host", () => {
  const withHost = (path: string, host: string) =>
    sendRaw("GET", path, [["Host", host], ...ordinaryLines().filter(([name]) => name !== "Host")]);

  it("is misdirected when it is not the issuer's", async () => {
    for (const path of ["/auth/config", jwksPath, "/auth/me"]) {
      for (const host of ["evil.example", `evil.example:${new URL(issuer).port}`, `localhost.evil.example`]) {
        expectProblem(await withHost(path, host), 421, "misdirected_request");
      }
    }
  });

  it("serves no mailbox under another name", async () => {
    // "only where issuer and request host are both localhost […]; anywhere else the route does not exist (404)"; 421 comes first.
    const answer = await withHost("/dev/mailbox?to=ada@mail.example", "127.0.0.1.evil.example");
    expect([404, 421]).toContain(answer.status);
    expect(answer.body.messages).toBeUndefined();
  });

  it("is never taken from a header into a mailed link", async () => {
    const person = newPerson();
    const spoofed = {
      "x-forwarded-host": "evil.example",
      "x-original-url": "https://evil.example/",
      forwarded: "host=evil.example",
    };
    const answer = await post(
      "/auth/register",
      { email: person.email, password: person.password },
      { headers: spoofed },
    );
    expect(answer.status).toBe(202);
    const [mail] = await mailsTo(person.email);
    expect(mail?.text).toContain(`${issuer}/verify-email#token=`);
    expect(JSON.stringify(mail)).not.toContain("evil.example");
  });

  it("of an absolute request target does not reach a mailed link either", async () => {
    const person = newPerson();
    const body = JSON.stringify({ email: person.email, password: person.password });
    const lines: [string, string][] = [
      ...ordinaryLines(),
      ["Content-Type", "application/json"],
      ["Content-Length", String(body.length)],
    ];
    const answer = await sendRaw("POST", "http://evil.example/auth/register", lines, [body]);
    expect([202, 400, 404, 421]).toContain(answer.status);
    const mails = await mailsTo(person.email, answer.status === 202 ? 1 : 0);
    expect(JSON.stringify(mails)).not.toContain("evil.example");
    if (answer.status === 202) expect(mails[0]?.text).toContain(`${issuer}/verify-email#token=`);
  });
});

describe("the development mailbox", () => {
  it("shows each mail with exactly its members, newest first", async () => {
    const person = newPerson();
    const account = { email: person.email, password: person.password };
    await post("/auth/register", account);
    await mailsTo(person.email, 1);
    await post("/auth/register", account);
    const mails = await mailsTo(person.email, 2);
    expect(mails.length).toBe(2);
    for (const mail of mails) {
      expect(Object.keys(mail).sort()).toEqual(["at", "html", "id", "subject", "text", "to"]);
      expect(mail.to).toBe(person.email);
      expect(mail.subject).toMatch(/\S/);
      expect(mail.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
      expect(mail.html).toContain("/verify-email#token");
    }
    const [newest, oldest] = mails;
    expect(Date.parse(newest?.at ?? "")).toBeGreaterThanOrEqual(Date.parse(oldest?.at ?? ""));
    expect(newest?.id).not.toBe(oldest?.id);
  });

  it("is empty, and the same, for addresses nobody wrote to", async () => {
    const [one, other] = [
      await get("/dev/mailbox?to=nobody-1@mail.example"),
      await get("/dev/mailbox?to=nobody-2@mail.example"),
    ];
    expect(one.body).toEqual({ messages: [] });
    expect(distinguishable(other)).toEqual(distinguishable(one));
  });
});
