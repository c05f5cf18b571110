import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sharedInstance } from "../support/shared-instance.ts";
import {
  type Answer,
  AUDIENCE,
  ask,
  claims,
  confused,
  encode,
  forge,
  ISSUER,
  type Json,
  KID,
  publicJwk,
  rawClaims,
  respell,
  seconds,
  startExample,
  stopExamples,
  trusted,
} from "./example-forge.ts";

const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwksRequests: string[] = [];
let jwksServer: Server;
let jwksUrl: string;
let service: string;

const me = (token: string, origin = service) => ask(`${origin}/me`, ["Authorization", `Bearer ${token}`]);

/** The one answer to every token that is not good enough: it never says which check failed. */
function expectRefused(answer: Answer): void {
  expect(answer.status).toBe(401);
  expect(answer.headers["www-authenticate"]).toBe('Bearer realm="example", error="invalid_token"');
  expect(answer.body).toEqual({ error: "invalid_token" });
}

beforeAll(async () => {
  jwksServer = createServer((incoming, answer) => {
    jwksRequests.push(incoming.url ?? "");
    if (incoming.url !== "/jwks.json") answer.statusCode = 404;
    answer.setHeader("Content-Type", "application/json").end(JSON.stringify({ keys: [publicJwk] }));
  });
  await new Promise<void>((resolve) => jwksServer.listen(0, "127.0.0.1", resolve));
  jwksUrl = `http://127.0.0.1:${(jwksServer.address() as AddressInfo).port}/jwks.json`;
  service = await startExample({ ISSUER, AUDIENCE, JWKS_URL: jwksUrl });
});

afterAll(() => {
  stopExamples();
  jwksServer.close();
});

describe("accepts", () => {
  const now = seconds();
  const good: [string, () => string][] = [
    ["a token with every claim", () => forge()],
    ["the long form of the type", () => forge({ header: { typ: "application/at+jwt" } })],
    ["a token that ended 20 s ago on our clock", () => forge({ claims: claims({ iat: now - 200, exp: now - 20 }) })],
    ["a clock that is 20 s ahead", () => forge({ claims: claims({ iat: now + 20 }) })],
    ["the last of two members of one name", () => forge({ claims: rawClaims("sub", '"first","sub":"user-1"') })],
  ];
  test.each(good)("%s", async (_name, token) => {
    const answer = await me(token());
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ sub: "user-1", acr: "aal2", amr: ["pwd", "otp", "mfa"], sid: "session-1" });
    expect(Object.keys(answer.body).sort()).toEqual(["acr", "amr", "auth_time", "sid", "sub"]);
    expect(answer.headers["cache-control"]).toBe("no-store");
  });

  test("any spelling of the scheme", async () => {
    expect((await ask(`${service}/me`, ["authorization", `bEARER ${forge()}`])).status).toBe(200);
  });
});

describe("refuses a signed token", () => {
  const now = seconds();
  const changed: [string, Json][] = [
    ["expired", { iat: now - 400, exp: now - 100 }],
    ["expired 31 s ago", { iat: now - 300, exp: now - 31 }],
    ["without exp", { exp: undefined }],
    ["with exp as text", { exp: String(now + 300) }],
    ["with a fractional exp", { exp: now + 300.5 }],
    ["that lives an hour", { exp: now + 3600 }],
    ["without iat", { iat: undefined }],
    ["with a fractional iat", { iat: now + 0.5 }],
    ["issued in the future", { iat: now + 60 }],
    ["issued in the far past", { iat: now - 3600 }],
    ["not valid yet", { nbf: now + 60 }],
    ["without auth_time", { auth_time: undefined }],
    ["with auth_time as text", { auth_time: String(now) }],
    ["without sub", { sub: undefined }],
    ["with an empty sub", { sub: "" }],
    ["without sid", { sid: undefined }],
    ["without jti", { jti: undefined }],
    ["without acr", { acr: undefined }],
    ["without amr", { amr: undefined }],
    ["for another audience", { aud: "https://other.example" }],
    ["for the issuer itself", { aud: ISSUER }],
    ["for a list of audiences", { aud: [AUDIENCE, "https://other.example"] }],
    ["for a list of us alone", { aud: [AUDIENCE] }],
    ["for an audience with a slash", { aud: `${AUDIENCE}/` }],
    ["without an audience", { aud: undefined }],
    ["of another issuer", { iss: "https://evil.example" }],
    ["of the issuer with a slash", { iss: `${ISSUER}/` }],
    ["without an issuer", { iss: undefined }],
    ["bound to a key", { cnf: { jkt: "x" } }],
  ];
  test.each(changed)("%s", async (_name, changes) => {
    expectRefused(await me(forge({ claims: claims(changes) })));
  });
  const written: [string, () => string][] = [
    ["exp 1e400", () => rawClaims("exp", "1e400")],
    ["claims that are a list", () => "[1]"],
    ["a byte order mark", () => `\uFEFF${JSON.stringify(claims())}`],
  ];
  test.each(written)("with %s", async (_name, text) => {
    expectRefused(await me(forge({ claims: text() })));
  });

  const headers: [string, Json][] = [
    ["typ JWT", { typ: "JWT" }],
    ["no typ", { typ: undefined }],
    ["typ of a challenge", { typ: "mfa+jwt" }],
    ["typ dpop+jwt", { typ: "dpop+jwt" }],
    ["no kid", { kid: undefined }],
    ["an empty kid", { kid: "" }],
    ["an unknown kid", { kid: "k2" }],
    ["a kid that is a number", { kid: 1 }],
    ["a kid that is a list", { kid: ["k1"] }],
    ["the kid __proto__", { kid: "__proto__" }],
    ["crit", { crit: ["exp"] }],
    ["an empty crit", { crit: [] }],
    ["b64 false", { b64: false }],
    ["b64 false and crit", { b64: false, crit: ["b64"] }],
    ["alg none and a signature", { alg: "none" }],
    ["alg es256", { alg: "es256" }],
  ];
  test.each(headers)("with %s", async (_name, header) => {
    expectRefused(await me(forge({ header })));
  });
});

describe("refuses another spelling or another signature", () => {
  const pem = createPublicKey(trusted.privateKey).export({ type: "spki", format: "pem" }).toString();
  const der = createPublicKey(trusted.privateKey).export({ type: "spki", format: "der" });
  const ownJwk = stranger.publicKey.export({ format: "jwk" });
  const tokens: [string, () => string][] = [
    ["alg none, no signature", () => `${encode({ alg: "none", typ: "at+jwt", kid: KID })}.${encode(claims())}.`],
    ["HS256 with the PEM", () => confused("HS256", pem)],
    ["HS256 with the JWK", () => confused("HS256", JSON.stringify(publicJwk))],
    ["HS512 with the PEM, as long as ES256", () => confused("HS512", pem)],
    ["HS512 with the DER, as long as ES256", () => confused("HS512", der)],
    ["another key", () => forge({ key: stranger.privateKey })],
    ["another key in jwk", () => forge({ key: stranger.privateKey, header: { jwk: ownJwk } })],
    ["another key at jku", () => forge({ key: stranger.privateKey, header: { jku: `${jwksUrl}?jku`, kid: "k3" } })],
    ["a DER signature", () => forge({ dsaEncoding: "der" })],
    ["a signature of zeros", () => forge().replace(/[^.]+$/, "A".repeat(86))],
    [
      "a byte order mark",
      () => forge({ header: `\uFEFF${JSON.stringify({ alg: "ES256", typ: "at+jwt", kid: KID })}` }),
    ],
    ["padding", () => `${forge()}=`],
    ["two signs of padding", () => `${forge()}==`],
    ["a space inside", () => forge().replace(/\.(?=[^.]+$)/, ". ")],
    ["a tab inside", () => forge().replace(/\.(?=[^.]+$)/, ".\t")],
    ["a spare bit in the last character", () => respell(forge())],
    ["a fourth part", () => `${forge()}.e30`],
    ["a second token after a comma", () => `${forge()}, Bearer ${forge()}`],
    ["claims edited after signing", () => forge().replace(/\.[^.]+\./, `.${encode(claims({ sub: "admin" }))}.`)],
    ["JSON serialization", () => JSON.stringify({ payload: encode(claims()), protected: "e30", signature: "AA" })],
    ["five parts", () => "eyJhbGciOiJkaXIifQ..AA.AA.AA"],
    ["more than 4 KiB", () => forge({ claims: claims({ note: "x".repeat(4096) }) })],
  ];
  test.each(tokens)("%s", async (_name, token) => {
    expectRefused(await me(token()));
  });

  test("6 MB, and goes on serving", async () => {
    const started = Date.now();
    expect([0, 431]).toContain((await me("e".repeat(6_000_000))).status);
    expect((await me(forge())).status).toBe(200);
    expect(Date.now() - started).toBeLessThan(2000);
  });

  test("two Authorization headers, both good", async () => {
    const line = ["Authorization", `Bearer ${forge()}`];
    expectRefused(await ask(`${service}/me`, [...line, ...line]));
  });

  test("a token anywhere else", async () => {
    for (const sent of [
      await ask(`${service}/me?access_token=${forge()}`),
      await ask(`${service}/me`),
      await ask(`${service}/me`, ["Authorization", "Bearer "]),
      await ask(`${service}/me`, ["Authorization", `Basic ${forge()}`]),
      await ask(`${service}/me`, ["Authorization", `Token ${forge()}`]),
    ]) {
      expect([sent.status, sent.headers["www-authenticate"]]).toEqual([401, 'Bearer realm="example"']);
    }
  });

  test("unknown keys without asking the issuer each time, and never where the token says", async () => {
    const before = jwksRequests.length;
    await Promise.all(Array.from({ length: 50 }, (_, n) => me(forge({ header: { kid: `flood-${n}` } }))));
    expect(jwksRequests.length - before).toBeLessThanOrEqual(1);
    expect(jwksRequests.filter((path) => path.includes("jku"))).toEqual([]);
  });
});

describe("as a service", () => {
  test("knows one path and one method", async () => {
    expect((await ask(`${service}/`)).status).toBe(404);
    const post = await ask(`${service}/me`, ["Authorization", `Bearer ${forge()}`], "POST");
    expect([post.status, post.headers.allow]).toEqual([405, "GET"]);
  });

  test("answers 503 when the key set does not, but only to what could be a token", async () => {
    const origin = await startExample({ ISSUER, AUDIENCE, JWKS_URL: `${new URL(jwksUrl).origin}/missing` });
    const answer = await me(forge(), origin);
    expect([answer.status, answer.body]).toEqual([503, { error: "unavailable" }]);
    expect(answer.headers["retry-after"]).toBeDefined();
    expectRefused(await me("nonsense", origin));
  });

  test("does not start without an issuer, or with keys that come over an open network", async () => {
    await expect(startExample({})).rejects.toThrow("ISSUER is required");
    await expect(startExample({ ISSUER: "http://issuer.example" })).rejects.toThrow("not a safe key set URL");
  });
});

describe("in front of a running Sallyport", () => {
  const sallyport = sharedInstance();
  const source = `2001:db8:${randomBytes(2).toString("hex")}:${randomBytes(2).toString("hex")}::1`;
  const account = { email: `${randomBytes(8).toString("hex")}@example.com`, password: randomBytes(12).toString("hex") };

  /** Posts to Sallyport (or gets, without a body) and returns the body of an answer that must have succeeded. */
  async function call(path: string, body?: Json, token?: string): Promise<Json> {
    const headers = { "Content-Type": "application/json", "CF-Connecting-IP": source };
    const answer = await fetch(sallyport + path, {
      method: body ? "POST" : "GET",
      headers: token ? { ...headers, Authorization: `Bearer ${token}` } : headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    expect(answer.ok, `${path}: ${answer.status} ${text}`).toBe(true);
    return JSON.parse(text) as Json;
  }

  async function mailedToken(): Promise<string> {
    for (;;) {
      const { messages } = await call(`/dev/mailbox?to=${encodeURIComponent(account.email)}`);
      const token = /#token=([A-Za-z0-9._~-]+)/.exec(JSON.stringify(messages))?.[1];
      if (token) return token;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  test("accepts its access token, for its own audience only, and no other token of it", async () => {
    const ours = await startExample({ ISSUER: sallyport });
    const theirs = await startExample({ ISSUER: sallyport, AUDIENCE });
    await call("/auth/register", account);
    await call("/auth/email/verify", { token: await mailedToken(), password: account.password });
    const first = await call("/auth/login", account);
    const access = String(first.access_token);
    const accepted = await me(access, ours);
    expect([accepted.status, accepted.body.acr, accepted.body.sid]).toEqual([200, "aal1", first.session_id]);
    expectRefused(await me(access, theirs));
    expectRefused(await me(String(first.refresh_token), ours));

    const factor = await call("/auth/2fa/totp/enroll", {}, access);
    const code = new TOTP({ secret: Secret.fromBase32(String(factor.secret)) }).generate();
    await call("/auth/2fa/totp/confirm", { factor_id: factor.factor_id, code }, access);
    const challenge = await call("/auth/login", account);
    expect(challenge.status).toBe("challenge");
    expectRefused(await me(String(challenge.challenge_token), ours));
  });
});
