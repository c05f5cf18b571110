import { describe, expect, it } from "vitest";
import { type KeySet, publishedKeys } from "../../../src/sdk/key-set.ts";
import { KeysUnavailable } from "../../../src/sdk/refused.ts";
import { FakeIssuer, jwksAnswer, newJwk } from "../support/fake-issuer.ts";
import { ISSUER, NOW } from "../support/forged-tokens.ts";

const [first, second, third] = [await newJwk("first"), await newJwk("second"), await newJwk("third")];

/** A key set over an issuer whose clock stands until it is moved. */
function keysOf(issuer: FakeIssuer): KeySet {
  return publishedKeys(ISSUER, { fetch: issuer.fetch, now: issuer.now });
}

const isUnavailable = (keys: KeySet, kid = "first") =>
  expect(keys.keyFor(kid)).rejects.toThrow(new KeysUnavailable(`the keys of ${ISSUER} cannot be had`));

/** How an issuer can fail, and whether that is silence. */
const FAILURES: [string, silent: boolean, FakeIssuer["answer"]][] = [
  ["does not answer", true, () => Promise.reject(new TypeError("fetch failed"))],
  ["answers 500", true, () => new Response("no", { status: 500 })],
  ["answers 503 with keys", true, () => Response.json({ keys: [first] }, { status: 503 })],
  ["breaks off", true, () => new Response(new ReadableStream({ start: (c) => c.error(new Error("reset")) }))],
  ["answers 404", false, () => new Response("no", { status: 404 })],
  ["answers 429", false, () => new Response("no", { status: 429 })],
  ["answers 204", false, () => new Response(null, { status: 204 })],
  ["answers 203 with keys", false, () => Response.json({ keys: [first] }, { status: 203 })],
  ["redirects", false, () => Response.redirect("https://elsewhere.example.com/jwks.json", 302)],
  ["answers garbage", false, () => new Response("<html>")],
  ["answers no key set", false, () => Response.json([first])],
  ["answers too much", false, () => new Response(`{"keys":[${" ".repeat(65_536)}]}`)],
  ["has a key id twice", false, jwksAnswer([first, { ...second, kid: "first" }])],
  ["shows a private key", false, jwksAnswer([first, { ...second, d: "x" }])],
  ["shows a secret key", false, jwksAnswer([first, { kty: "oct", k: "c2VjcmV0", kid: "s" }])],
];

describe("published keys", () => {
  it("are fetched once, when they are first needed, and from the issuer", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first, second]));
    const keys = keysOf(issuer);
    expect(issuer.asked).toEqual([]);
    const asked = await Promise.all(Array.from({ length: 50 }, (_, n) => keys.keyFor(n % 2 ? "first" : "second")));
    expect(asked.every((key) => key?.type === "public")).toBe(true);
    expect(asked[0]).not.toBe(asked[1]);
    expect(issuer.asked.map(({ url }) => url)).toEqual([issuer.address]);
    expect(issuer.asked[0]?.init.redirect).toBe("manual");
  });

  it("can be elsewhere", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first]));
    const jwksUri = "https://keys.example.com/set?of=ours";
    await publishedKeys(ISSUER, { jwksUri, fetch: issuer.fetch }).keyFor("first");
    expect(issuer.asked.map(({ url }) => url)).toEqual([jwksUri]);
  });

  it.each([
    "http://auth.example.com",
    "ftp://auth.example.com",
    "https://user:password@auth.example.com",
    "auth.example.com",
    "http://localhost.example.com",
  ])("are not asked for at %s", (issuer) => {
    expect(() => publishedKeys(issuer)).toThrow(TypeError);
  });

  it.each(["http://localhost:8787", "http://127.0.0.1:8787", "http://[::1]:8787"])("may be at %s", (issuer) => {
    expect(() => publishedKeys(issuer)).not.toThrow();
  });

  it.each([
    ["five minutes when it does not say", {}, 300],
    ["what it says", { "Cache-Control": "public, max-age=120, stale-while-revalidate=60" }, 120],
    ["what is left of it", { "Cache-Control": "max-age=300", Age: "200" }, 100],
    ["a minute at least", { "Cache-Control": "max-age=1" }, 60],
    ["a minute when it forbids it", { "Cache-Control": "no-store, max-age=500" }, 60],
    ["ten minutes at most", { "Cache-Control": "max-age=86400" }, 600],
    ["five minutes when it says nonsense", { "Cache-Control": "max-age=soon" }, 300],
  ])("are kept for %s", async (_, headers, seconds) => {
    const issuer = new FakeIssuer(jwksAnswer([first], headers));
    const keys = keysOf(issuer);
    await keys.keyFor("first");
    issuer.pass(seconds - 0.001);
    await keys.keyFor("first");
    expect(issuer.asked).toHaveLength(1);
    issuer.pass(0.001);
    await keys.keyFor("first");
    expect(issuer.asked).toHaveLength(2);
  });
});

describe("unknown key ids (KEY-04, attack F05)", () => {
  it.each([
    ["an issuer that answers", 10, jwksAnswer([first], { "Cache-Control": "max-age=600" })],
    ["an issuer that answers, twice as often as it must", 10, jwksAnswer([first], { "Cache-Control": "max-age=60" })],
  ])("1,000 over five minutes cost %s one fetch in thirty seconds", async (_, atMost, answer) => {
    const issuer = new FakeIssuer(answer);
    const keys = keysOf(issuer);
    for (let n = 0; n < 1000; n += 1) {
      expect(await keys.keyFor(crypto.randomUUID())).toBeUndefined();
      // Good tokens pass meanwhile.
      expect(await keys.keyFor("first")).toBeDefined();
      issuer.pass(0.3);
    }
    expect(issuer.asked.length).toBeGreaterThan(1);
    expect(issuer.asked.length).toBeLessThanOrEqual(atMost);
    const gaps = issuer.asked.slice(1).map(({ at }, n) => at - (issuer.asked[n]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(30_000);
  });

  it.each(FAILURES)("the same, while it %s", async (_, __, answer) => {
    const issuer = new FakeIssuer(jwksAnswer([first], { "Cache-Control": "max-age=600" }));
    const keys = keysOf(issuer);
    await keys.keyFor("first");
    issuer.answer = answer;
    for (let n = 0; n < 100; n += 1) {
      issuer.pass(3);
      expect(await keys.keyFor(crypto.randomUUID())).toBeUndefined();
      expect(await keys.keyFor("first")).toBeDefined();
    }
    expect(issuer.asked).toHaveLength(11);
  });

  it("at once cost one fetch", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first]));
    const keys = keysOf(issuer);
    await keys.keyFor("first");
    issuer.pass(30);
    await Promise.all(Array.from({ length: 1000 }, () => keys.keyFor(crypto.randomUUID())));
    expect(issuer.asked).toHaveLength(2);
  });

  it("find a key that has come meanwhile", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first]));
    const keys = keysOf(issuer);
    await keys.keyFor("first");
    issuer.answer = jwksAnswer([first, second]);
    issuer.pass(29.999);
    expect(await keys.keyFor("second")).toBeUndefined();
    issuer.pass(0.001);
    expect(await keys.keyFor("second")).toBeDefined();
  });

  it.each(["__proto__", "constructor", "toString", ""])("are unknown when they are %j", async (kid) => {
    expect(await keysOf(new FakeIssuer(jwksAnswer([first]))).keyFor(kid)).toBeUndefined();
  });
});

describe("an issuer that fails", () => {
  it.each(FAILURES)("and %s from the start has no keys, and is asked every five seconds", async (_, __, answer) => {
    const issuer = new FakeIssuer(answer);
    const keys = keysOf(issuer);
    for (let n = 0; n < 20; n += 1) {
      await isUnavailable(keys);
      issuer.pass(1);
    }
    expect(issuer.asked.map(({ at }) => (at - NOW) / 1000)).toEqual([0, 5, 10, 15]);
    issuer.answer = jwksAnswer([first]);
    expect(await keys.keyFor("first")).toBeDefined();
  });

  it.each(FAILURES)("and then %s: silence leaves old keys for 15 minutes (%s)", async (_, silent, answer) => {
    const issuer = new FakeIssuer(jwksAnswer([first]));
    const keys = keysOf(issuer);
    await keys.keyFor("first");
    issuer.answer = answer;
    issuer.pass(299.999);
    expect(await keys.keyFor("first")).toBeDefined();
    issuer.pass(0.001);
    if (silent) {
      for (let waited = 0; waited < 900; waited += 10, issuer.pass(10))
        expect(await keys.keyFor("first")).toBeDefined();
      // Every thirty seconds, as before.
      expect(issuer.asked).toHaveLength(1 + 30);
    }
    await isUnavailable(keys);
    issuer.answer = jwksAnswer([first]);
    issuer.pass(30);
    expect(await keys.keyFor("first")).toBeDefined();
  });

  it("and then speaks again without these keys has dropped them, however long it was silent", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first]));
    const keys = keysOf(issuer);
    await keys.keyFor("first");
    issuer.pass(300);
    issuer.answer = () => new Response("", { status: 502 });
    expect(await keys.keyFor("first")).toBeDefined();
    issuer.answer = () => new Response("", { status: 404 });
    issuer.pass(30);
    await isUnavailable(keys);
  });

  it("and said so before the keys were over does not get the quarter of an hour", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first]));
    const keys = keysOf(issuer);
    await keys.keyFor("first");
    issuer.answer = () => new Response("", { status: 404 });
    issuer.pass(299);
    expect(await keys.keyFor("unknown")).toBeUndefined();
    issuer.pass(2);
    await isUnavailable(keys);
  });
});

describe("a rotation", () => {
  it("is seen without a token that is refused: the next key is published for a day before it signs", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first, second]));
    const keys = keysOf(issuer);
    for (let minutes = 0; minutes < 24 * 60; minutes += 1, issuer.pass(60)) await keys.keyFor("first");
    const fetches = issuer.asked.length;
    // The next becomes active, another next appears, the old one stays for an hour.
    issuer.answer = jwksAnswer([first, second, third]);
    for (let minutes = 0; minutes < 60; minutes += 1, issuer.pass(60)) {
      expect(await keys.keyFor("second")).toBeDefined();
      expect(await keys.keyFor("first")).toBeDefined();
    }
    expect(issuer.asked.length - fetches).toBe(12);
  });

  it("in an emergency is known within the time that keys are kept", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first, second]));
    const keys = keysOf(issuer);
    await keys.keyFor("first");
    issuer.answer = jwksAnswer([second, third]);
    issuer.pass(300);
    expect(await keys.keyFor("first")).toBeUndefined();
    expect(await keys.keyFor("second")).toBeDefined();
  });
});
