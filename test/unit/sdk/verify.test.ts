import { describe, expect, it } from "vitest";
import {
  KeysUnavailable,
  publishedKeys,
  type TokenDefect,
  TokenRefused,
  type VerifierOptions,
  verifyAccessToken,
} from "../../../src/sdk/verify.ts";
import { FakeIssuer, jwksAnswer } from "../support/fake-issuer.ts";
import { AUDIENCE, CLAIMS, ISSUER, KID, NOW, SECONDS, signed, trusted, trustedJwk } from "../support/forged-tokens.ts";

const keys = { keyFor: async (kid: string) => (kid === KID ? trusted.publicKey : undefined) };
const options: VerifierOptions = { issuer: ISSUER, audience: AUDIENCE, keys, now: () => NOW };
const bound = { cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } };

const refusal = async (token: string, changed: Partial<VerifierOptions> = {}) =>
  verifyAccessToken(token, { ...options, ...changed }).then(
    () => undefined,
    (error) => error as unknown,
  );

describe("verifyAccessToken", () => {
  it("gives the claims of a good token", async () => {
    expect(await verifyAccessToken(await signed(), options)).toEqual(CLAIMS);
  });

  it.each<[TokenDefect, string, () => string | Promise<string>]>([
    ["malformed", "the token is no compact JWS of ES256", () => "garbage"],
    ["unsupported_header", "the header is not that of an access token", () => signed({}, { typ: "JWT" })],
    ["unknown_key", "the key of the token is not one of the issuer's", () => signed({}, { kid: "other" })],
    ["bad_signature", "the signature does not fit", async () => `${(await signed()).slice(0, -86)}${"A".repeat(86)}`],
    ["invalid_claims", "a claim is missing or has the wrong form", () => signed({ sid: undefined })],
    ["wrong_issuer", "the token is of another issuer", () => signed({ iss: "https://other.example.com" })],
    ["wrong_audience", "the token is for another audience", () => signed({ aud: "billing" })],
    ["expired", "the token has expired", () => signed({ iat: SECONDS - 400, exp: SECONDS - 100 })],
    ["not_yet_valid", "the token is from the future", () => signed({ iat: SECONDS + 60 })],
    ["proof_missing", "the token is bound to a key, and no proof came with it", () => signed(bound)],
  ])("throws %s", async (code, message, made) => {
    const token = await made();
    const error = await refusal(token);
    expect(error).toBeInstanceOf(TokenRefused);
    expect(error).toMatchObject({ name: "TokenRefused", code, message });
    // What is logged of it holds nothing that could be used.
    const { stack, ...rest } = error as TokenRefused;
    expect(`${stack}${JSON.stringify(rest)}`).not.toContain(token.slice(-40));
  });

  it("allows clocks thirty seconds, or what the service says", async () => {
    const late = await signed({ iat: SECONDS - 329, exp: SECONDS - 29, auth_time: SECONDS - 400 });
    expect(await refusal(late)).toBeUndefined();
    expect(await refusal(late, { clockToleranceSeconds: 29 })).toMatchObject({ code: "expired" });
  });

  it("goes by the clock of the machine where it is given none", async () => {
    const { now: _, ...withoutClock } = options;
    const iat = Math.floor(Date.now() / 1000);
    const token = await signed({ iat, exp: iat + 300 });
    expect(await verifyAccessToken(token, withoutClock)).toMatchObject({ iat });
    await expect(verifyAccessToken(await signed(), withoutClock)).rejects.toMatchObject({ code: "expired" });
  });

  it("refuses an ended session, after all else", async () => {
    const asked: unknown[] = [];
    const revokedSessions = {
      isRevoked: async (claims: { sid: string }) => {
        asked.push(claims.sid);
        return true;
      },
    };
    expect(await refusal(await signed({ aud: "billing" }), { revokedSessions })).toMatchObject({
      code: "wrong_audience",
    });
    expect(asked).toEqual([]);
    expect(await refusal(await signed(), { revokedSessions })).toMatchObject({ code: "revoked" });
    expect(asked).toEqual([CLAIMS.sid]);
  });

  it("says that keys cannot be had, and not that the token is bad", async () => {
    const issuer = new FakeIssuer(() => new Response("", { status: 503 }));
    const silent = publishedKeys(ISSUER, { fetch: issuer.fetch });
    expect(await refusal(await signed(), { keys: silent })).toBeInstanceOf(KeysUnavailable);
  });

  it("asks the issuer once for all the tokens of a forger, and never for what they name", async () => {
    const issuer = new FakeIssuer(
      jwksAnswer([{ ...trustedJwk, use: "sig", kid: KID, ext: undefined, key_ops: undefined }]),
    );
    const published = publishedKeys(ISSUER, { fetch: issuer.fetch, now: issuer.now });
    const own = await signed();
    for (const header of [
      { kid: "x" },
      { kid: "https://evil.example.com/" },
      { jku: "https://evil.example.com/" },
      { x5u: "http://169.254.169.254/" },
    ]) {
      await refusal(await signed({}, header), { keys: published });
    }
    expect(await refusal(own, { keys: published })).toBeUndefined();
    expect(issuer.asked.map(({ url }) => url)).toEqual([issuer.address]);
  });

  it("has what it fetches held past the request: keys and list", async () => {
    const held: Promise<unknown>[] = [];
    const hold = (work: Promise<unknown>) => held.push(work);
    const asked: unknown[] = [];
    const keyFor = async (_: string, given?: unknown) => {
      asked.push(given);
      return trusted.publicKey;
    };
    const isRevoked = async (_: unknown, given?: unknown) => {
      asked.push(given);
      return false;
    };
    await refusal(await signed(), { keys: { keyFor }, revokedSessions: { isRevoked }, waitUntil: hold });
    expect(asked).toEqual([hold, hold]);
  });

  it.each<[string, Partial<Record<keyof VerifierOptions, unknown>>]>([
    ["no issuer", { issuer: undefined }],
    ["an issuer that is no address", { issuer: "auth" }],
    ["an issuer with a slash behind it", { issuer: `${ISSUER}/` }],
    ["an issuer with a path", { issuer: `${ISSUER}/tenant` }],
    ["no audience", { audience: undefined }],
    ["an empty audience", { audience: "" }],
    ["a list of audiences", { audience: [AUDIENCE] }],
    ["a tolerance above a minute", { clockToleranceSeconds: 61 }],
    ["a tolerance below zero", { clockToleranceSeconds: -1 }],
    ["a tolerance that is no number", { clockToleranceSeconds: Number.NaN }],
    ["a tolerance in text", { clockToleranceSeconds: "30" }],
  ])("does not work with %s", async (_, changed) => {
    expect(await refusal(await signed(), changed as Partial<VerifierOptions>)).toBeInstanceOf(TypeError);
  });
});
