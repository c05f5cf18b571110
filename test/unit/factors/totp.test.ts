import fc from "fast-check";
import { Secret, TOTP } from "otpauth";
import { afterEach, describe, expect, it, vi } from "vitest";
import { hotpCode, matchingSteps, newestUnusedStep, newTotpSecret, totpStep } from "../../../src/factors/totp.ts";
import { readVectors } from "../support/vectors.ts";

/** The secret of both RFCs: twenty ASCII bytes. */
const SECRET = new TextEncoder().encode("12345678901234567890");
const OTHER_SECRET = new TextEncoder().encode("09876543210987654321");

/** RFC 4226 appendix D: the values of counters 0 to 9. */
const RFC_4226 = "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489".split(" ");

/** RFC 6238 appendix B, the SHA-1 rows: seconds since the epoch, and eight digits. The last step needs 33 bits of time. */
const RFC_6238: [seconds: number, code: string][] = [
  [59, "94287082"],
  [1111111109, "07081804"],
  [1111111111, "14050471"],
  [1234567890, "89005924"],
  [2000000000, "69279037"],
  [20000000000, "65353130"],
];

afterEach(() => {
  vi.restoreAllMocks();
});

describe("one-time codes", () => {
  it.each(RFC_4226.entries().toArray())("equal RFC 4226 appendix D for counter %i", async (counter, code) => {
    expect(await hotpCode(SECRET, counter, 6)).toBe(code);
  });

  it.each(RFC_6238)("equal RFC 6238 appendix B at second %i", async (seconds, code) => {
    expect(await hotpCode(SECRET, totpStep(seconds * 1000), 8)).toBe(code);
    // The service itself shows the last six of those digits.
    expect(await matchingSteps(SECRET, code.slice(2), seconds * 1000)).toContain(totpStep(seconds * 1000));
  });

  it("count steps beyond 32 bits without wrapping", async () => {
    const step = 2 ** 32 + 1;
    expect(totpStep(step * 30_000)).toBe(step);
    expect(await hotpCode(SECRET, step, 6)).toBe(codeOfOtpauth(SECRET, step * 30_000));
    expect(await hotpCode(SECRET, step, 6)).not.toBe(await hotpCode(SECRET, 1, 6));
  });

  it("agree with otpauth for any secret and moment", async () => {
    const secrets = fc.uint8Array({ minLength: 20, maxLength: 20 });
    const moments = fc.integer({ min: 0, max: 20_000_000_000_000 });
    await fc.assert(
      fc.asyncProperty(secrets, moments, async (bytes, now) => {
        const secret = new Uint8Array(bytes);
        const code = codeOfOtpauth(secret, now);
        expect(await hotpCode(secret, totpStep(now), 6)).toBe(code);
        expect(await matchingSteps(secret, code, now)).toContain(totpStep(now));
      }),
      { numRuns: 200 },
    );
  });

  const published = readVectors<PublishedCodes>("otp.json");
  if (!published) it.skip("NOT RUN: the file otp.json is not beside this checkout", () => {});
  else {
    it("equal the vectors in otp.json", async () => {
      const { rfc4226, rfc6238 } = published;
      const secret = new TextEncoder().encode(rfc4226.secret_ascii);
      const codes = rfc4226.counters_0_9.map((_, counter) => hotpCode(secret, counter, rfc4226.digits));
      expect(await Promise.all(codes)).toEqual(rfc4226.counters_0_9);
      const timed = new TextEncoder().encode(rfc6238.secret_ascii["SHA-1"]);
      for (const [seconds, code] of rfc6238.rows) {
        expect(await hotpCode(timed, totpStep(seconds * 1000), rfc6238.digits)).toBe(code);
      }
    });
  }
});

describe("the window", () => {
  const step = 59_000_000;
  const opens = step * 30_000;
  const closes = opens + 29_999;

  it.each([
    ["the first moment of its step", opens, { before: -30_000, after: 59_999 }],
    ["the last moment of its step", closes, { before: -59_999, after: 30_000 }],
  ])("takes a code made in %s for one step before and after, and not a millisecond more", async (_, made, edge) => {
    const code = await hotpCode(SECRET, step, 6);
    const accepted = async (shift: number) => (await matchingSteps(SECRET, code, made + shift)).includes(step);
    expect(await accepted(edge.before)).toBe(true);
    expect(await accepted(edge.before - 1)).toBe(false);
    expect(await accepted(edge.after)).toBe(true);
    expect(await accepted(edge.after + 1)).toBe(false);
  });

  // Seconds between the clock that made the code, at the first moment of a step, and ours.
  it.each([
    [0, true],
    [29, true],
    [30, true],
    [31, true],
    [59, true],
    [60, false],
    [61, false],
    [-29, true],
    [-30, true],
    [-31, false],
    [-60, false],
    [-61, false],
  ])("with our clock %i seconds off: %s", async (seconds, accepted) => {
    const matches = await matchingSteps(SECRET, await hotpCode(SECRET, step, 6), opens + seconds * 1000);
    expect(matches).toEqual(accepted ? [step] : []);
  });

  it("has no step before the first one", async () => {
    const first = await hotpCode(SECRET, 0, 6);
    expect(await matchingSteps(SECRET, first, 0)).toEqual([0]);
  });

  it.each([
    ["right at once", 0],
    ["right at last", 2],
    ["wrong", 50],
  ])("costs three HMACs whether the code is %s", async (_, ahead) => {
    const code = await hotpCode(SECRET, step - 1 + ahead, 6);
    const sign = vi.spyOn(crypto.subtle, "sign");
    await matchingSteps(SECRET, code, opens);
    expect(sign).toHaveBeenCalledTimes(3);
  });

  it.each(["", "0", "00000", "0000000", "١٢٣٤٥٦", "１２３４５６", "12 345", "undefined", "\u0000".repeat(6)])(
    "matches nothing for %j, after the same three HMACs",
    async (code) => {
      const sign = vi.spyOn(crypto.subtle, "sign");
      expect(await matchingSteps(SECRET, code, opens)).toEqual([]);
      expect(sign).toHaveBeenCalledTimes(3);
    },
  );

  it.each([" %s", "%s ", "%s\n", "\u0000%s", "+%s", "0%s"])(
    "does not take a right code written as %j",
    async (form) => {
      const code = await hotpCode(SECRET, step, 6);
      expect(await matchingSteps(SECRET, form.replace("%s", code), opens)).toEqual([]);
    },
  );

  it("does not take a code of another secret", async () => {
    expect(await matchingSteps(OTHER_SECRET, await hotpCode(SECRET, step, 6), opens)).toEqual([]);
  });

  it.each([0, 1, 9, 65])("refuses to work with a secret of %i bytes", async (length) => {
    await expect(matchingSteps(new Uint8Array(length), "000000", opens)).rejects.toThrow("80 to 512 bits");
  });
});

describe("a code that was used", () => {
  it("is not good again, and no older one is after it", () => {
    expect(newestUnusedStep([100], undefined)).toBe(100);
    expect(newestUnusedStep([100], 99)).toBe(100);
    expect(newestUnusedStep([100], 100)).toBeUndefined();
    expect(newestUnusedStep([99], 100)).toBeUndefined();
    expect(newestUnusedStep([], undefined)).toBeUndefined();
    // Step 0 is a step like any other, not the absence of one.
    expect(newestUnusedStep([0], 0)).toBeUndefined();
    expect(newestUnusedStep([0], undefined)).toBe(0);
  });

  it.each([
    // Found by search: steps of this secret that share a code, side by side and at the two ends of one window.
    ["neighbouring steps", 50_424_280, 50_424_281, "070562"],
    ["the two ends of a window", 50_897_033, 50_897_035, "407517"],
  ])("is not good a second time through %s with the same code", async (_, older, newer, code) => {
    const matches = await matchingSteps(SECRET, code, (older + 1) * 30_000);
    expect(matches).toEqual([older, newer]);
    const used = newestUnusedStep(matches, undefined);
    expect(used).toBe(newer);
    expect(newestUnusedStep(matches, used)).toBeUndefined();
  });

  it("never opens twice, whatever steps match in whatever order of uses", () => {
    const sequences = fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.subarray([0, 1, 2])), { maxLength: 30 });
    fc.assert(
      fc.property(sequences, (uses) => {
        const accepted: number[] = [];
        for (const [base, offsets] of uses) {
          const steps = offsets.map((offset) => base + offset);
          const step = newestUnusedStep(steps, accepted.at(-1));
          if (step !== undefined) accepted.push(step);
        }
        expect(accepted).toEqual([...new Set(accepted)].sort((a, b) => a - b));
      }),
    );
  });
});

describe("a new secret", () => {
  it("has 160 bits and is never the same", () => {
    const secrets = Array.from({ length: 50 }, () => newTotpSecret());
    expect(secrets.every((secret) => secret.length === 20)).toBe(true);
    expect(new Set(secrets.map(String)).size).toBe(50);
  });
});

interface PublishedCodes {
  rfc4226: { secret_ascii: string; digits: number; counters_0_9: string[] };
  rfc6238: { digits: number; secret_ascii: { "SHA-1": string }; rows: [number, string][] };
}

/** The code that an independent authenticator shows. */
function codeOfOtpauth(bytes: Uint8Array, timestamp: number): string {
  const secret = new Secret({ buffer: new Uint8Array(bytes).buffer });
  return new TOTP({ secret, algorithm: "SHA1", digits: 6, period: 30 }).generate({ timestamp });
}
