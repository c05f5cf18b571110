import { describe, expect, it } from "vitest";
import {
  type PresentedProof,
  REQUIREMENTS,
  type RequirementContext,
  type SensitiveAction,
  unmetRequirement,
} from "../../../src/account/requirements.ts";
import { describeProof, type Proof } from "../../../src/tokens/proof.ts";
import { NOW } from "../support/account-samples.ts";

const JUST_NOW = NOW / 1000 - 10;
const OLD = NOW / 1000 - 301;
const ACTIONS = Object.keys(REQUIREMENTS) as SensitiveAction[];
const ADD: SensitiveAction[] = ["enrol_factor"];
/** What a password is enough for where there is no factor. */
const OWN: SensitiveAction[] = [
  "forget_browser",
  "change_password",
  "change_email",
  "delete_account",
  "export_account",
];
const GUARDED = { hasSecondFactor: true };
const PLAIN = { hasSecondFactor: false };

/** What a token of this proof says. */
function presented(proof: Proof): PresentedProof {
  const { acr, factors } = describeProof(proof);
  return { acr, factors };
}

/** The access token at hand, what the account says, and what may be done with it. */
const TABLE: [session: string, proof: Proof, context: RequirementContext, allowed: SensitiveAction[]][] = [
  ["password and code, both new", { pwd: JUST_NOW, otp: JUST_NOW }, GUARDED, ACTIONS],
  ["an old password and a new code", { pwd: OLD, otp: JUST_NOW }, GUARDED, ACTIONS],
  ["an old password and a new passkey", { pwd: OLD, swk: JUST_NOW }, GUARDED, ACTIONS],
  ["an old password and a new security key", { pwd: OLD, hwk: JUST_NOW }, GUARDED, ACTIONS],
  ["an old code and a new passkey", { pwd: OLD, otp: OLD, swk: JUST_NOW }, GUARDED, ACTIONS],
  ["a new passkey alone, its user verified", { swk: JUST_NOW, uv: JUST_NOW }, GUARDED, ACTIONS],
  ["password and code, both old", { pwd: OLD, otp: OLD }, GUARDED, []],
  ["a new password and an old code", { pwd: JUST_NOW, otp: OLD }, GUARDED, []],
  ["an old passkey alone", { swk: OLD, uv: OLD }, GUARDED, []],
  ["an old passkey whose user was verified just now", { swk: OLD, uv: JUST_NOW }, GUARDED, []],
  ["a new password in a trusted browser", { pwd: JUST_NOW }, GUARDED, []],
  ["an old password in a trusted browser", { pwd: OLD }, GUARDED, []],
  ["a new code and nothing else", { otp: JUST_NOW }, GUARDED, []],
  ["a new passkey alone, its user not verified", { swk: JUST_NOW }, GUARDED, []],

  ["a new password where there is no factor", { pwd: JUST_NOW }, PLAIN, [...ADD, ...OWN]],
  ["an old password where there is no factor", { pwd: OLD }, PLAIN, []],
  ["password and code, both new, where the factor has just gone", { pwd: OLD, otp: JUST_NOW }, PLAIN, ACTIONS],
  ["password and code, both old, where the factor has gone", { pwd: OLD, otp: OLD }, PLAIN, []],
  ["a new password beside an old code of a factor that has gone", { pwd: JUST_NOW, otp: OLD }, PLAIN, [...ADD, ...OWN]],

  ["a recovery code, both new", { pwd: JUST_NOW, recovery_code: JUST_NOW }, GUARDED, []],
  ["a recovery code instead of a passkey alone", { recovery_code: JUST_NOW }, GUARDED, []],
  [
    "a recovery code, and the password once more",
    { pwd: JUST_NOW, recovery_code: OLD },
    { ...GUARDED, passwordAgainAt: JUST_NOW },
    ADD,
  ],
  [
    "a recovery code, and the password once more but too long ago",
    { pwd: OLD, recovery_code: OLD },
    { ...GUARDED, passwordAgainAt: OLD },
    [],
  ],
  [
    "a recovery code, the password once more, and a token from before that",
    { pwd: JUST_NOW - 1, recovery_code: JUST_NOW - 1 },
    { ...GUARDED, passwordAgainAt: JUST_NOW },
    [],
  ],
  [
    "a recovery code, the password once more, and a step-up by another recovery code since",
    { pwd: OLD, recovery_code: JUST_NOW },
    { ...GUARDED, passwordAgainAt: JUST_NOW },
    [],
  ],
  [
    "a recovery code, the password once more, and a step-up by a normal factor since",
    { pwd: OLD, otp: JUST_NOW },
    { ...GUARDED, passwordAgainAt: JUST_NOW },
    ACTIONS,
  ],
  [
    "a step-up by recovery code in a normal session that never gave its password again",
    { pwd: JUST_NOW, recovery_code: JUST_NOW },
    GUARDED,
    [],
  ],
  [
    "a trusted browser's password, in a session that once was a recovery session",
    { pwd: JUST_NOW },
    { ...GUARDED, passwordAgainAt: JUST_NOW },
    [],
  ],
];

describe("a sensitive action", () => {
  it.each(TABLE)("with %s", (_, proof, context, allowed) => {
    const refusal = { refused: "proof_too_old", acr: context.hasSecondFactor ? "aal2" : "aal1", maxAgeSeconds: 300 };
    for (const action of ACTIONS) {
      const expected = allowed.includes(action) ? undefined : refusal;
      expect(unmetRequirement(action, presented(proof), context, NOW), action).toEqual(expected);
    }
  });

  const bounds: [SensitiveAction, Proof, RequirementContext][] = [
    ...ACTIONS.map((action): [SensitiveAction, Proof, RequirementContext] => [action, { pwd: 1, otp: 0 }, GUARDED]),
    ["enrol_factor", { pwd: 0 }, PLAIN],
    ...OWN.map((action): [SensitiveAction, Proof, RequirementContext] => [action, { pwd: 0 }, PLAIN]),
    ["enrol_factor", { pwd: 0, recovery_code: 0 }, { ...GUARDED, passwordAgainAt: NOW / 1000 }],
  ];

  it.each(bounds)("%s is open for five minutes after %j, to the millisecond", (action, offsets, context) => {
    const proof = Object.fromEntries(Object.entries(offsets).map(([factor, after]) => [factor, NOW / 1000 + after]));
    const at = (now: number) => unmetRequirement(action, presented(proof), context, now);
    expect(at(NOW)).toBeUndefined();
    expect(at(NOW + 299_999)).toBeUndefined();
    expect(at(NOW + 300_000)).toMatchObject({ refused: "proof_too_old" });
    expect(at(NOW + 86_400_000)).toMatchObject({ refused: "proof_too_old" });
  });

  it("does not believe a token that says less than its factors do", () => {
    const factors = { pwd: JUST_NOW, otp: JUST_NOW };
    for (const acr of ["aal1", "aal2-recovery"] as const) {
      for (const action of ACTIONS) {
        expect(unmetRequirement(action, { acr, factors }, GUARDED, NOW), `${action} ${acr}`).toBeDefined();
      }
    }
  });
});
