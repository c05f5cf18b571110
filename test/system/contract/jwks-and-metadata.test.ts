import { calculateJwkThumbprint, decodeProtectedHeader } from "jose";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  cookieOf,
  expectProblem,
  get,
  issuer,
  type Json,
  logIn,
  ordinaryLines,
  ownPage,
  send,
  sendRaw,
  signedIn,
  verifiedPerson,
} from "../../support/client.ts";
import { JWKS, METADATA, publishedKeys } from "../../support/published.ts";

const CACHE = "public, max-age=300, stale-while-revalidate=60";
const etagOf = (answer: Answer): string => answer.headers.get("etag") ?? "";

function expectPublic(answer: Answer, about: string): void {
  expect(answer.headers.get("cache-control"), about).toBe(CACHE);
  expect(answer.headers.get("access-control-allow-origin"), about).toBe("*");
  expect(answer.headers.get("access-control-allow-credentials"), about).toBeNull();
  expect(answer.headers.getSetCookie(), about).toEqual([]);
  expect(answer.headers.get("vary"), about).toBeNull();
  expect(etagOf(answer), about).toMatch(/^(W\/)?"[^"]+"$/);
}

/** Headers that a cache in between might be poisoned with. */
const POISON: Record<string, Record<string, string>> = {
  "X-Forwarded-Host": { "x-forwarded-host": "evil.example" },
  "X-Forwarded-*": { "x-forwarded-proto": "https", "x-forwarded-port": "1", "x-forwarded-prefix": "/evil" },
  Forwarded: { forwarded: "host=evil.example;proto=https" },
  "X-Host": { "x-host": "evil.example", "x-original-host": "evil.example", "x-http-host-override": "evil.example" },
  "X-Original-URL": { "x-original-url": "/auth/me", "x-rewrite-url": "/auth/me" },
  Origin: { origin: "https://evil.example" },
  "Origin null": { origin: "null" },
  "own page": ownPage,
  "Accept HTML": { accept: "text/html" },
  "Accept nothing": { accept: "application/jwt;q=0" },
  "Accept-Language": { "accept-language": "de" },
  Range: { range: "bytes=0-3" },
  Authorization: { authorization: "Bearer a.b.c" },
  DPoP: { dpop: "a.b.c" },
  Cookie: { cookie: "__Host-sallyport_rt=rt_AAAA" },
  "X-HTTP-Method-Override": { "x-http-method-override": "POST" },
  "If-Modified-Since": { "if-modified-since": new Date(Date.now() + 86_400_000).toUTCString() },
};

describe.each([JWKS, METADATA])("%s", (path) => {
  it("gives the same bytes whatever the query and the headers say", async () => {
    const plain = await get(path);
    expect(plain.status).toBe(200);
    expectPublic(plain, "plain");
    const answers: [string, Answer][] = [];
    for (const query of ["?", "?x=1", "?kid=../../etc/passwd", "?issuer=https://evil.example", "?callback=alert"])
      answers.push([query, await get(`${path}${query}`)]);
    for (const [name, headers] of Object.entries(POISON)) answers.push([name, await get(path, { headers })]);
    for (const [name, answer] of answers) {
      expect({ name, status: answer.status, text: answer.text }).toEqual({ name, status: 200, text: plain.text });
      expect(etagOf(answer), name).toBe(etagOf(plain));
      expect(answer.headers.get("content-type"), name).toBe(plain.headers.get("content-type"));
      expectPublic(answer, name);
    }
  });

  it("gives a browser with a session nothing of its own, and takes nothing from it", async () => {
    const page = await logIn(await verifiedPerson(), {}, { headers: ownPage });
    const answer = await get(path, { headers: ownPage, cookie: cookieOf(page) });
    expect(answer.text).toBe((await get(path)).text);
    expectPublic(answer, "with a cookie");
  });

  it("is misdirected under another host's name, and nobody keeps that", async () => {
    for (const host of ["evil.example", `evil.example:${new URL(issuer).port}`, "localhost.evil.example"]) {
      const lines = ordinaryLines().filter(([name]) => name !== "Host");
      const answer = await sendRaw("GET", path, [["Host", host], ...lines]);
      expectProblem(answer, 421, "misdirected_request");
      expect(answer.headers.get("cache-control")).toMatch(/\bno-store\b/);
    }
    expect((await get(path)).status).toBe(200);
  });

  it("is not sent again to who has it", async () => {
    const plain = await get(path);
    const etag = etagOf(plain);
    const opaque = etag.replace(/^W\//, "");
    const have = [
      etag,
      opaque,
      `W/${opaque}`,
      "*",
      `"another", ${etag}`,
      `${opaque},"another"`,
      `W/"another" ,\tW/${opaque} , "third"`,
    ];
    for (const value of have) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await send(method, path, undefined, { headers: { "if-none-match": value } });
        expect({ method, value, status: answer.status, text: answer.text }).toEqual({
          method,
          value,
          status: 304,
          text: "",
        });
        expectPublic(answer, value);
        expect(etagOf(answer)).toBe(etag);
      }
    }
    const others = ['"another"', opaque.replaceAll('"', ""), `"${opaque.slice(1, -2)}"`, opaque.toUpperCase(), '""'];
    for (const value of others.filter((one) => one !== opaque)) {
      const answer = await get(path, { headers: { "if-none-match": value } });
      expect({ value, status: answer.status }).toEqual({ value, status: 200 });
      expect(answer.text).toBe(plain.text);
    }
  });

  it("answers HEAD like GET without a body, and other methods not at all", async () => {
    const [plain, head] = [await get(path), await send("HEAD", path)];
    expect({ status: head.status, text: head.text }).toEqual({ status: 200, text: "" });
    expectPublic(head, "HEAD");
    expect(etagOf(head)).toBe(etagOf(plain));
    expect(head.headers.get("content-type")).toBe(plain.headers.get("content-type"));
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const answer = await send(method, path, method === "DELETE" ? undefined : {});
      expectProblem(answer, 405, "method_not_allowed");
      expect(answer.headers.get("allow")).toMatch(/\bGET\b/);
      expect(answer.headers.get("cache-control")).toMatch(/\bno-store\b/);
    }
  });

  it("has no neighbours that a cache could mistake for it", async () => {
    for (const neighbour of ["/.css", ";.css", "/", "%00.css", "%2f.css", "/..%2fx.css", ".json"]) {
      const answer = await get(`${path}${neighbour}`);
      expect([400, 404], neighbour).toContain(answer.status);
      expect(answer.headers.get("cache-control"), neighbour).toMatch(/\bno-store\b/);
    }
  });
});

describe("the JWKS", () => {
  it("holds the key that signs and the one that will, by their thumbprints, with public members only", async () => {
    const keys = await publishedKeys();
    for (const key of keys) {
      expect(Object.keys(key).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
      expect(key).toMatchObject({ kty: "EC", crv: "P-256", use: "sig", alg: "ES256" });
      expect(key.kid).toBe(await calculateJwkThumbprint(key as { kty: string }, "sha256"));
      expect(String(key.x)).toMatch(/^[\w-]{43}$/);
      expect(String(key.y)).toMatch(/^[\w-]{43}$/);
    }
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(keys.length);
    // "Exactly one `active` and one `next` key": the next one is published a day before it signs.
    expect(keys.length).toBe(2);
    const person = await verifiedPerson();
    const kids = await Promise.all(
      Array.from({ length: 5 }, async () => decodeProtectedHeader((await signedIn(person)).access).kid),
    );
    expect(new Set(kids).size).toBe(1);
    expect(keys.map(({ kid }) => kid)).toContain(kids[0]);
  });
});

describe("the metadata", () => {
  it("names the issuer, the endpoints and what they take, and nothing else", async () => {
    const answer = await get(METADATA);
    expect(answer.headers.get("content-type")).toMatch(/^application\/json\b/);
    const methods = ["client_secret_basic"];
    const expected: Json = {
      issuer,
      jwks_uri: `${issuer}${JWKS}`,
      token_endpoint: `${issuer}/oauth/token`,
      introspection_endpoint: `${issuer}/oauth/introspect`,
      revocation_endpoint: `${issuer}/oauth/revoke`,
      response_types_supported: [],
      grant_types_supported: ["urn:ietf:params:oauth:grant-type:token-exchange"],
      token_endpoint_auth_methods_supported: methods,
      introspection_endpoint_auth_methods_supported: methods,
      revocation_endpoint_auth_methods_supported: methods,
      dpop_signing_alg_values_supported: ["ES256"],
      access_token_signing_alg_values_supported: ["ES256"],
      acr_values_supported: ["aal1", "aal2-recovery", "aal2"],
      revoked_sessions_uri: `${issuer}/.well-known/revoked-sessions`,
    };
    expect(answer.body).toEqual(expected);
  });

  it("leads to documents that are there", async () => {
    const { body } = await get(METADATA);
    for (const member of ["jwks_uri", "revoked_sessions_uri"]) {
      const path = String(body[member]).slice(issuer.length);
      expect((await get(path)).status, member).toBe(200);
    }
    for (const member of ["token_endpoint", "introspection_endpoint", "revocation_endpoint"]) {
      const path = String(body[member]).slice(issuer.length);
      // Without CLIENTS nobody is a client of this instance.
      const answer = await send("POST", path, "token=a.b.c", {
        headers: {
          "content-type": "application/x-www-form-urlencoded",
          authorization: `Basic ${Buffer.from("orders-api:a secret").toString("base64")}`,
        },
      });
      expect({ member, status: answer.status, error: answer.body.error }).toEqual({
        member,
        status: 401,
        error: "invalid_client",
      });
    }
  });
});
