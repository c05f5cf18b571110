import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { signAccessToken } from "../../../src/tokens/access-token.ts";
import { signChallengeToken } from "../../../src/tokens/challenge-token.ts";
import { isEnrolmentToken, signEnrolmentToken } from "../../../src/tokens/enrolment-token.ts";
import { NOW, newRing } from "../support/rings.ts";
import { quickest } from "../support/timing.ts";

const ISSUER = "https://auth.example.com";
const ACCOUNT = "1d9a2f0e-0000-4000-8000-000000000001";
const WAITING = "3d9a2f0e-0000-4000-8000-000000000003";

let ring: KeyRing;
let token: string;

beforeAll(async () => {
  ring = await newRing();
  token = await signEnrolmentToken(ring, ISSUER, { accountId: ACCOUNT, enrolmentId: WAITING }, NOW);
});

// What it has in common with a challenge token is in own-jwt.test.ts.
describe("a text that says it is an enrolment token", () => {
  it.each([
    ["one that was good once", (text: string) => text],
    ["one with a forged signature", (text: string) => `${text.slice(0, -43)}${"A".repeat(43)}`],
    ["one with other claims", (text: string) => text.replace(/\.[^.]*\./, ".e30.")],
    ["one that was cut", (text: string) => text.slice(0, -10)],
  ])("is %s", (_, change) => {
    expect(isEnrolmentToken(change(token))).toBe(true);
  });

  it("is no other token of ours", async () => {
    const subject = { accountId: ACCOUNT, sessionId: "s", audience: ISSUER, roles: [], factors: { pwd: NOW / 1000 } };
    const reference = { accountId: ACCOUNT, challengeId: WAITING, purpose: "login" } as const;
    expect(isEnrolmentToken(await signAccessToken(ring, ISSUER, subject, NOW, 300))).toBe(false);
    expect(isEnrolmentToken(await signChallengeToken(ring, ISSUER, reference, NOW))).toBe(false);
  });

  it.each([
    ["nothing", ""],
    ["full stops", ".."],
    ["a header that is no JSON", "AAAA.e30.AAAA"],
    ["a header that is a text", `${encode('"enrolment+jwt"')}.e30.AAAA`],
    ["a header that is null", `${encode("null")}.e30.AAAA`],
    ["a type that is a list", `${encode('{"typ":["enrolment+jwt"]}')}.e30.AAAA`],
    ["a type in another case", `${encode('{"typ":"Enrolment+JWT"}')}.e30.AAAA`],
    ["no type", `${encode('{"alg":"HS256"}')}.e30.AAAA`],
  ])("is not %s", (_, text) => {
    expect(isEnrolmentToken(text)).toBe(false);
  });

  it("is at most as long as any token, and a longer one is not parsed", () => {
    const huge = `${token}${"A".repeat(4096)}`;
    expect(isEnrolmentToken(huge)).toBe(false);
    const header = encode(JSON.stringify({ typ: "enrolment+jwt", x: "x".repeat(20_000_000) }));
    expect(quickest(() => isEnrolmentToken(`${header}.e30.AAAA`))).toBeLessThan(10);
  });

  it("is never an exception", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json().map(encode)), (text) => {
        expect(isEnrolmentToken(`${text}.e30.AAAA`)).toBe(false);
      }),
    );
  });
});

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}
