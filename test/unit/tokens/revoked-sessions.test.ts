import { describe, expect, it } from "vitest";
import { verifyAccessToken } from "../../../src/tokens/access-token.ts";
import { signRevokedSessions } from "../../../src/tokens/revoked-sessions.ts";
import { partsOf } from "../support/jwt-parts.ts";
import { NOW, newRing } from "../support/rings.ts";

const ISSUER = "https://auth.example.com";
const SECONDS = NOW / 1000;

describe("the list of ended sessions", () => {
  it("says what ended, as of when it was read, and speaks for two minutes", async () => {
    const ring = await newRing();
    const list = await signRevokedSessions(ring, ISSUER, { asOf: NOW + 999, sids: ["a", "b"], endedBefore: 0 });
    const [header, claims] = partsOf(list);
    expect(header).toEqual({ alg: "ES256", typ: "revoked+jwt", kid: ring.signing.kid });
    expect(claims).toEqual({ iss: ISSUER, iat: SECONDS, exp: SECONDS + 120, not_before: 0, sids: ["a", "b"] });
  });

  it("says when the last emergency drop was, in whole seconds", async () => {
    const ring = await newRing((record) => ({ ...record, notBefore: NOW - 1 }));
    const [, claims] = partsOf(await signRevokedSessions(ring, ISSUER, { asOf: NOW, sids: [], endedBefore: 0 }));
    expect(claims).toMatchObject({ not_before: SECONDS - 1, sids: [] });
  });

  it("ends whatever is older than the ends that did not fit in, the second of that end included", async () => {
    const ring = await newRing((record) => ({ ...record, notBefore: NOW - 60_000 }));
    const notBefore = async (endedBefore: number) =>
      partsOf(await signRevokedSessions(ring, ISSUER, { asOf: NOW, sids: [], endedBefore }))[1].not_before;
    expect(await notBefore(NOW - 1_000)).toBe(SECONDS);
    expect(await notBefore(NOW - 1)).toBe(SECONDS);
    expect(await notBefore(NOW - 61_000)).toBe(SECONDS - 60);
  });

  it("is signed once, and anew under another ring", async () => {
    const ring = await newRing();
    const list = { asOf: NOW, sids: [], endedBefore: 0 };
    const text = await signRevokedSessions(ring, ISSUER, list);
    expect(await signRevokedSessions(ring, ISSUER, list)).toBe(text);
    expect(await signRevokedSessions(await newRing(), ISSUER, list)).not.toBe(text);
  });

  it("is no access token", async () => {
    const ring = await newRing();
    const list = await signRevokedSessions(ring, ISSUER, { asOf: NOW, sids: [], endedBefore: 0 });
    expect(await verifyAccessToken(ring, ISSUER, list, NOW)).toBeUndefined();
  });
});
