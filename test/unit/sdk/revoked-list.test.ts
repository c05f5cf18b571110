import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeysUnavailable } from "../../../src/sdk/refused.ts";
import { readRevokedList } from "../../../src/sdk/revoked-list.ts";
import { ANY_NAME, changedAt, FEED_CLAIMS, feed, feedOf, ONE_KEY } from "../support/feeds.ts";
import { ISSUER, type Json, NOW, newPair, SECONDS } from "../support/forged-tokens.ts";

const read = (text: string, { now = NOW, keys = ANY_NAME } = {}) =>
  readRevokedList(text, { issuer: ISSUER, keys, now });
const { iat, exp } = FEED_CLAIMS;
const LIST = { iat, exp, notBefore: 0, sids: new Set(["ended"]) };

describe("a list of ended sessions", () => {
  it("is read as what it says", async () => {
    expect(await read(await feed(), { keys: ONE_KEY })).toEqual(LIST);
    expect(await read(await feed({ not_before: SECONDS, sids: ["a", "b"] }))).toEqual({
      ...LIST,
      notBefore: SECONDS,
      sids: new Set(["a", "b"]),
    });
  });

  it("may name nobody, and says so once", async () => {
    expect(await read(await feed({ sids: [] }))).toMatchObject({ sids: new Set() });
    expect(await read(await feed({ sids: ["a", "a"] }))).toMatchObject({ sids: new Set(["a"]) });
  });

  it("may name thirty thousand, and is not longer than 2 MiB", async () => {
    const sids = (count: number) => Array.from({ length: count }, (_, n) => `${n}`.padStart(36, "0"));
    expect((await read(await feed({ sids: sids(30_000) })))?.sids.size).toBe(30_000);
    const tooLong = await feed({ sids: sids(41_000) });
    expect(tooLong.length).toBeGreaterThan(2 * 1024 * 1024);
    expect(await read(tooLong)).toBeUndefined();
  });

  it("speaks until its end, and before it is made as far as clocks may differ", async () => {
    const text = await feed();
    expect(await read(text, { now: NOW + 119_999 })).toEqual(LIST);
    expect(await read(text, { now: NOW + 120_000 })).toBeUndefined();
    expect(await read(text, { now: NOW - 60_000 })).toEqual(LIST);
    expect(await read(text, { now: NOW - 60_001 })).toBeUndefined();
  });

  it("does not speak for more than ten minutes to come", async () => {
    expect(await read(await feed({ exp: SECONDS + 600 }))).toBeDefined();
    expect(await read(await feed({ exp: SECONDS + 601 }))).toBeUndefined();
  });

  it("is nothing while the keys cannot be had", async () => {
    const keys = { keyFor: () => Promise.reject(new KeysUnavailable("no keys")) };
    expect(await read(await feed(), { keys })).toBeUndefined();
  });
});

describe("a list that is rightly signed is refused", () => {
  it.each<[string, Json]>([
    ["of another issuer", { iss: "https://auth.example.org" }],
    ["of an issuer spelt otherwise", { iss: `${ISSUER}/` }],
    ["of no issuer", { iss: undefined }],
    ["of several issuers", { iss: [ISSUER] }],
    ["without a time", { iat: undefined }],
    ["with a text for a time", { iat: String(iat) }],
    ["with part of a second", { iat: iat - 0.5 }],
    ["with a time before all times", { iat: -1 }],
    ["without an end", { exp: undefined }],
    ["with a text for an end", { exp: String(exp) }],
    ["with an end at part of a second", { exp: exp + 0.5 }],
    ["with an end at its beginning", { iat: SECONDS + 20, exp: SECONDS + 20 }],
    ["with an end before its beginning", { iat: SECONDS + 20, exp: SECONDS + 10 }],
    ["that does not say what is over by its time", { not_before: undefined }],
    ["with a text for that time", { not_before: "0" }],
    ["with nothing for that time", { not_before: null }],
    ["with part of a second for that time", { not_before: 0.5 }],
    ["without sessions", { sids: undefined }],
    ["with a text for sessions", { sids: "ended" }],
    ["with an object for sessions", { sids: { ended: true } }],
    ["with a number among the sessions", { sids: ["ended", 1] }],
    ["with a list among the sessions", { sids: [["ended"]] }],
  ])("%s", async (_, claims) => {
    expect(await read(await feed(claims))).toBeUndefined();
  });

  it.each<[string, Json]>([
    ["of no type", { typ: undefined }],
    ["of the type of an access token", { typ: "at+jwt" }],
    ["of its type in capital letters", { typ: "REVOKED+JWT" }],
    ["of its type in full", { typ: "application/revoked+jwt" }],
    ["of no algorithm", { alg: undefined }],
    ["of the algorithm none", { alg: "none" }],
    ["of a symmetric algorithm", { alg: "HS256" }],
    ["of no key", { kid: undefined }],
    ["of a number for a key", { kid: 1 }],
    ["with a critical extension", { crit: ["x"], x: 1 }],
    ["with an unencoded payload", { b64: false }],
    ["with a key in it", { jwk: {} }],
  ])("%s", async (_, header) => {
    expect(await read(await feed({}, header))).toBeUndefined();
  });

  it("that names a member twice", async () => {
    const twice = `{"sids":[],${JSON.stringify(FEED_CLAIMS).slice(1)}`;
    expect(await read(await feedOf(JSON.stringify(FEED_CLAIMS)))).toEqual(LIST);
    expect(await read(await feedOf(twice))).toBeUndefined();
  });

  it("with a key of its issuer that it does not name", async () => {
    expect(await read(await feed({}, { kid: "another" }), { keys: ONE_KEY })).toBeUndefined();
  });
});

describe("a list that its issuer has not signed is refused", () => {
  it("when another key has", async () => {
    const { privateKey } = await newPair();
    expect(await read(await feed({}, {}, privateKey))).toBeUndefined();
  });

  it("with any one character changed", async () => {
    const text = await feed();
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), async (at) => {
        expect(await read(changedAt(text, at))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it.each(["", "{}", "null", "a.b.c"])("when it is no JWS: %j", async (text) => {
    expect(await read(text)).toBeUndefined();
  });

  it.each([
    ["a line break behind it", (text: string) => `${text}\n`],
    ["a space before it", (text: string) => ` ${text}`],
    ["padding", (text: string) => `${text}=`],
    ["a part more", (text: string) => `${text}.AAAA`],
  ])("with %s", async (_, spoil) => {
    expect(await read(spoil(await feed()))).toBeUndefined();
  });
});
