import { describe, expect, it } from "vitest";
import { requireFresh } from "../../../src/account/freshness.ts";
import { NOW } from "../support/account-samples.ts";

const PROVEN = NOW / 1000;

describe("a sensitive action", () => {
  it.each([
    ["at once", 0, true],
    ["in the last moment of five minutes", 299_999, true],
    ["after five minutes", 300_000, false],
    ["a day later", 86_400_000, false],
  ])("%s", (_, later, allowed) => {
    const tooOld = { refused: "proof_too_old", acr: "aal2", maxAgeSeconds: 300 };
    expect(requireFresh({ otp: PROVEN }, true, NOW + later)).toEqual(allowed ? undefined : tooOld);
  });

  it("asks for the second factor where the account has one, however new the password is", () => {
    const refusal = { refused: "proof_too_old", acr: "aal2", maxAgeSeconds: 300 };
    expect(requireFresh({ pwd: PROVEN }, true, NOW)).toEqual(refusal);
    expect(requireFresh({ pwd: PROVEN, otp: PROVEN - 300 }, true, NOW)).toEqual(refusal);
    expect(requireFresh({ pwd: PROVEN - 86_400, otp: PROVEN }, true, NOW)).toBeUndefined();
  });

  it("asks for the password where the account has nothing else", () => {
    const refusal = { refused: "proof_too_old", acr: "aal1", maxAgeSeconds: 300 };
    expect(requireFresh({ pwd: PROVEN }, false, NOW + 299_999)).toBeUndefined();
    expect(requireFresh({ pwd: PROVEN }, false, NOW + 300_000)).toEqual(refusal);
    expect(requireFresh({}, false, NOW)).toEqual(refusal);
  });
});
