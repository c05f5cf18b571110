import { beforeAll, describe, expect, it } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { signChallengeToken, verifyChallengeToken } from "../../../src/tokens/challenge-token.ts";
import { partsOf, signedByHand } from "../support/jwt-parts.ts";
import { NOW, newRing } from "../support/rings.ts";

const ISSUER = "https://auth.example.com";
const REFERENCE = {
  accountId: "1d9a2f0e-0000-4000-8000-000000000001",
  challengeId: "3d9a2f0e-0000-4000-8000-000000000003",
} as const;

let ring: KeyRing;

beforeAll(async () => {
  ring = await newRing();
});

const verify = (text: string) => verifyChallengeToken(ring, ISSUER, text, NOW);

// What it has in common with an enrolment token is in own-jwt.test.ts.
describe("a challenge token", () => {
  it.each(["login", "step_up", "reauthenticate"] as const)("names its purpose: %s", async (purpose) => {
    const signed = await signChallengeToken(ring, ISSUER, { ...REFERENCE, purpose }, NOW + 300_000);
    expect(await verify(signed)).toEqual({ ...REFERENCE, purpose });
  });

  it("without a purpose is none", async () => {
    const signed = await signChallengeToken(ring, ISSUER, { ...REFERENCE, purpose: "login" }, NOW + 300_000);
    const [header, claims] = partsOf(signed);
    const { key } = ring.active("challenge");
    expect(await verify(await signedByHand(key, header, claims))).toBeDefined();
    expect(await verify(await signedByHand(key, header, { ...claims, purpose: undefined }))).toBeUndefined();
  });
});
