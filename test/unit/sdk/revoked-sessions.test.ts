import { describe, expect, it } from "vitest";
import { KeysUnavailable } from "../../../src/sdk/refused.ts";
import { type RevokedSessionsOptions, revokedSessions } from "../../../src/sdk/revoked-sessions.ts";
import { FakeIssuer, jwksAnswer } from "../support/fake-issuer.ts";
import { feed, ONE_KEY } from "../support/feeds.ts";
import { ISSUER, type Json, KID, SECONDS, trustedJwk } from "../support/forged-tokens.ts";

const URI = `${ISSUER}/.well-known/revoked-sessions`;
const ALIVE = { sid: "alive", iat: SECONDS };
const ENDED = { sid: "ended", iat: SECONDS };
const LOST = new KeysUnavailable(`the list of ended sessions of ${ISSUER} cannot be had`);
const SILENCE = () => Promise.reject<Response>(new TypeError("fetch failed"));

/** An issuer that publishes a list made now, with these claims otherwise; `at` is when it was made, seconds from NOW. */
const listing =
  (claims: Json = {}, at = 0) =>
  async () =>
    new Response(await feed({ iat: SECONDS + at, exp: SECONDS + at + 120, ...claims }));

/** A list under a clock that stands until it is moved. */
function watching(
  answer: FakeIssuer["answer"],
  options: Partial<RevokedSessionsOptions> = {},
): [issuer: FakeIssuer, revoked: ReturnType<typeof revokedSessions>] {
  const issuer = new FakeIssuer(answer);
  const { fetch, now } = issuer;
  return [issuer, revokedSessions(ISSUER, { onFeedLost: "closed", fetch, now, keys: ONE_KEY, ...options })];
}

describe("the list of ended sessions", () => {
  it("tells ended sessions from others", async () => {
    const [issuer, revoked] = watching(listing());
    expect(issuer.asked).toEqual([]);
    expect(await revoked.isRevoked(ENDED)).toBe(true);
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
    expect(issuer.asked.map(({ url }) => url)).toEqual([URI]);
    expect(issuer.asked[0]?.init.redirect).toBe("manual");
  });

  it("tells what was issued before a drop, whatever its session", async () => {
    const [, revoked] = watching(listing({ not_before: SECONDS }));
    expect(await revoked.isRevoked({ ...ALIVE, iat: SECONDS - 1 })).toBe(true);
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
  });

  it("is asked for again before it ends, though the clocks differ and the poll is a long one", async () => {
    // Ten seconds in a cache, and a clock that is a minute ahead: fifty seconds are left of it.
    const [issuer, revoked] = watching(listing({}, -70), { pollSeconds: 60 });
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
    issuer.pass(45);
    issuer.answer = listing({}, -25);
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
    expect(issuer.asked).toHaveLength(2);
    issuer.pass(10);
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
  });

  it("is fetched past the request that asked, where that can be", async () => {
    const held: Promise<unknown>[] = [];
    const [, revoked] = watching(listing());
    await revoked.isRevoked(ALIVE, (work) => held.push(work));
    expect(held).toHaveLength(1);
    await revoked.isRevoked(ALIVE, (work) => held.push(work));
    expect(held).toHaveLength(1);
  });

  it("is asked for once by all who wait for it", async () => {
    const [issuer, revoked] = watching(listing());
    const told = await Promise.all(Array.from({ length: 50 }, (_, n) => revoked.isRevoked(n % 2 ? ENDED : ALIVE)));
    expect(told.filter(Boolean)).toHaveLength(25);
    expect(issuer.asked).toHaveLength(1);
  });

  it.each([
    ["every 30 seconds", undefined, 30],
    ["as often as the service wants", 5, 5],
  ])("is asked for %s, when a token needs it", async (_, pollSeconds, seconds) => {
    const [issuer, revoked] = watching(listing(), pollSeconds === undefined ? {} : { pollSeconds });
    await revoked.isRevoked(ALIVE);
    issuer.pass(seconds - 0.001);
    await revoked.isRevoked(ALIVE);
    expect(issuer.asked).toHaveLength(1);
    issuer.pass(0.001);
    issuer.answer = listing({ sids: ["alive"] }, seconds);
    expect(await revoked.isRevoked(ALIVE)).toBe(true);
    expect(issuer.asked).toHaveLength(2);
  });

  it("is asked for again when the clock was put back", async () => {
    const [issuer, revoked] = watching(listing({}, -90));
    await revoked.isRevoked(ALIVE);
    issuer.pass(-60);
    issuer.answer = listing({ sids: ["alive"] }, -60);
    expect(await revoked.isRevoked(ALIVE)).toBe(true);
  });

  it("forgets a session that a newer list no longer names", async () => {
    const [issuer, revoked] = watching(listing());
    expect(await revoked.isRevoked(ENDED)).toBe(true);
    issuer.pass(30);
    issuer.answer = listing({ sids: [] }, 30);
    expect(await revoked.isRevoked(ENDED)).toBe(false);
  });

  it("can be elsewhere", async () => {
    const uri = "https://feeds.example.com/ended?of=ours";
    const [issuer, revoked] = watching(listing(), { uri });
    expect(await revoked.isRevoked(ENDED)).toBe(true);
    expect(issuer.asked.map(({ url }) => url)).toEqual([uri]);
  });

  it("is checked with the keys that the issuer publishes, where no others are given", async () => {
    const issuer = new FakeIssuer(listing());
    const jwks = jwksAnswer([{ ...trustedJwk, key_ops: ["verify"], kid: KID }]);
    const fetch = async (url: string, init: RequestInit) => (url === URI ? issuer.fetch(url, init) : jwks());
    const revoked = revokedSessions(ISSUER, { onFeedLost: "closed", fetch, now: issuer.now });
    expect(await revoked.isRevoked(ENDED)).toBe(true);
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
  });
});

describe("an older list than one that was seen", () => {
  it("is refused, and the newer one is kept", async () => {
    const [issuer, revoked] = watching(listing({}, 1));
    issuer.pass(1);
    await revoked.isRevoked(ENDED);
    issuer.pass(30);
    issuer.answer = listing({ sids: [], exp: SECONDS + 300 }, 0);
    expect(await revoked.isRevoked(ENDED)).toBe(true);
    expect(issuer.asked).toHaveLength(2);
    // It does not lengthen what the newer one says either.
    issuer.pass(90);
    await expect(revoked.isRevoked(ALIVE)).rejects.toThrow(LOST);
  });

  it("counts together with it when both are of one second: either may lack what the other has", async () => {
    const [issuer, revoked] = watching(listing());
    await revoked.isRevoked(ENDED);
    issuer.pass(30);
    issuer.answer = listing({ sids: ["alive"] });
    expect(await revoked.isRevoked(ENDED)).toBe(true);
    expect(await revoked.isRevoked(ALIVE)).toBe(true);
  });

  it("is one that has not heard of a drop: that is never taken back", async () => {
    const [issuer, revoked] = watching(listing({ not_before: SECONDS + 1 }));
    expect(await revoked.isRevoked(ALIVE)).toBe(true);
    issuer.pass(30);
    issuer.answer = listing({ not_before: 0 }, 30);
    expect(await revoked.isRevoked(ALIVE)).toBe(true);
    expect(await revoked.isRevoked({ ...ALIVE, iat: SECONDS + 1 })).toBe(false);
  });
});

describe("options out of bounds", () => {
  it.each<[string, object]>([
    ["no word on what happens without a list", { onFeedLost: undefined }],
    ["a word that says nothing", { onFeedLost: "maybe" }],
    ["polling without end", { pollSeconds: 0 }],
    ["polling too seldom", { pollSeconds: 61 }],
    ["polling at no time", { pollSeconds: Number.NaN }],
    ["plain HTTP", { uri: "http://auth.example.com/revoked" }],
    ["no address", { uri: "revoked" }],
  ])("are refused at once: %s", (_, options) => {
    expect(() => revokedSessions(ISSUER, { onFeedLost: "closed", ...options })).toThrow(TypeError);
  });

  it("control: those within are taken", () => {
    for (const pollSeconds of [1, 60]) {
      expect(() => revokedSessions(ISSUER, { onFeedLost: "open", pollSeconds })).not.toThrow();
    }
  });
});

describe("a list that is lost", () => {
  const FAILURES: [string, FakeIssuer["answer"]][] = [
    ["nobody answers", SILENCE],
    ["the issuer is at fault", () => new Response("no", { status: 503 })],
    ["there is none", () => new Response("no", { status: 404 })],
    ["the issuer redirects", () => Response.redirect("https://elsewhere.example.com/", 302)],
    ["it is not signed", () => new Response("{}")],
    ["it is too long", () => new Response("x".repeat(2 * 1024 * 1024 + 1))],
    ["it has ended", listing({ iat: SECONDS - 300, exp: SECONDS - 180 })],
  ];

  it.each(FAILURES)("closes the service that wants that, when %s", async (_, answer) => {
    const [, revoked] = watching(answer);
    await expect(revoked.isRevoked(ALIVE)).rejects.toThrow(LOST);
  });

  it.each(FAILURES)("does not stop the service that wants that, when %s", async (_, answer) => {
    const [, revoked] = watching(answer, { onFeedLost: "open" });
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
  });

  it.each(FAILURES)("leaves the last word to the list before, until its end, when %s", async (_, answer) => {
    const [issuer, revoked] = watching(listing());
    await revoked.isRevoked(ALIVE);
    issuer.answer = answer;
    issuer.pass(119.999);
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
    expect(issuer.asked).toHaveLength(2);
    issuer.pass(0.001);
    await expect(revoked.isRevoked(ALIVE)).rejects.toThrow(LOST);
    // What has ended stays so.
    expect(await revoked.isRevoked(ENDED)).toBe(true);
  });

  it("ends what it named for a service that goes on without it, too", async () => {
    const [issuer, revoked] = watching(listing({ not_before: SECONDS }), { onFeedLost: "open" });
    await revoked.isRevoked(ALIVE);
    issuer.answer = SILENCE;
    issuer.pass(600);
    expect(await revoked.isRevoked(ENDED)).toBe(true);
    expect(await revoked.isRevoked({ ...ALIVE, iat: SECONDS - 1 })).toBe(true);
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
  });

  it("is asked for again every ten seconds, and found again", async () => {
    const [issuer, revoked] = watching(SILENCE);
    for (const seconds of [0, 1, 8.999]) {
      issuer.pass(seconds);
      await expect(revoked.isRevoked(ALIVE)).rejects.toThrow(LOST);
    }
    expect(issuer.asked).toHaveLength(1);
    issuer.answer = listing();
    issuer.pass(0.001);
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
    expect(await revoked.isRevoked(ENDED)).toBe(true);
    expect(issuer.asked).toHaveLength(2);
  });
});
