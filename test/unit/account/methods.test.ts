import { describe, expect, it } from "vitest";
import {
  type Admission,
  judge,
  methodsFor,
  methodsOfSession,
  type SecondFactorPolicy,
  type Standing,
} from "../../../src/account/methods.ts";
import { type Proof, withProven } from "../../../src/tokens/proof.ts";

const PROOFS: Record<string, { proof: Proof; isTrusted?: boolean }> = {
  pwd: { proof: { pwd: 1 } },
  "pwd+otp": { proof: { pwd: 1, otp: 2 } },
  "pwd+swk": { proof: { pwd: 1, swk: 2 } },
  "swk+uv": { proof: { swk: 2, uv: 2 } },
  swk: { proof: { swk: 2 } },
  recovery: { proof: { pwd: 1, recovery_code: 2 } },
  trusted: { proof: { pwd: 1 }, isTrusted: true },
};

const STANDINGS: Record<string, Standing> = {
  nothing: { totp: 0, passkeys: 0, recoveryCodes: 0 },
  totp: { totp: 1, passkeys: 0, recoveryCodes: 10 },
  passkey: { totp: 0, passkeys: 1, recoveryCodes: 10 },
  both: { totp: 3, passkeys: 10, recoveryCodes: 1 },
  codes: { totp: 0, passkeys: 0, recoveryCodes: 1 },
};

const LETTERS: Record<string, Admission> = { S: "session", C: "challenge", E: "enrolment" };

/**
 * May the account have a session? S: yes. C: it can show more, and must. E: more is demanded than it has. `-` cannot
 * happen: trust in a browser goes with the factor that earned it.
 *
 * An old proof of a factor that has gone since is still what happened, so it stands. A recovery code opens its own
 * limited session under every policy, and so does trust where there is a factor. `swk` is a passkey that did not verify
 * its user: one factor, like a password.
 */
const TABLE = `
  policy    standing   pwd  pwd+otp  pwd+swk  swk+uv  swk  recovery  trusted

  optional  nothing     S      S        S        S     S      S         S
  optional  totp        C      S        S        S     C      S         S
  optional  passkey     C      S        S        S     C      S         S
  optional  both        C      S        S        S     C      S         S
  optional  codes       C      S        S        S     C      S         S

  required  nothing     E      S        S        S     E      S         -
  required  totp        C      S        S        S     C      S         S
  required  passkey     C      S        S        S     C      S         S
  required  both        C      S        S        S     C      S         S
  required  codes       C      S        S        S     C      S         S

  passkey   nothing     E      E        S        S     E      S         -
  passkey   totp        C      E        S        S     C      S         S
  passkey   passkey     C      C        S        S     C      S         S
  passkey   both        C      C        S        S     C      S         S
  passkey   codes       C      E        S        S     C      S         S
`;

const [[, , ...proofs] = [], ...rows] = TABLE.trim()
  .split(/\n\s*/)
  .map((line) => line.split(/\s+/))
  .filter(({ length }) => length > 1);
const cases = rows.flatMap(([policy = "", standing = "", ...letters]) =>
  letters.map((letter, at) => ({ policy, standing, proof: proofs[at] ?? "", admission: LETTERS[letter] })),
);

describe("may this account have a session?", () => {
  it("is answered for every policy, standing and proof", () => {
    expect(new Set(proofs)).toEqual(new Set(Object.keys(PROOFS)));
    expect(cases).toHaveLength(3 * Object.keys(STANDINGS).length * Object.keys(PROOFS).length);
    expect(cases.filter(({ admission }) => admission === undefined)).toHaveLength(2);
  });

  it.each(cases.filter(({ admission }) => admission !== undefined))(
    "$policy, $standing, $proof: $admission",
    ({ policy, standing, proof, admission }) => {
      const shown = PROOFS[proof];
      const has = STANDINGS[standing];
      if (!shown || !has) throw new Error("the table names something unknown");
      expect(judge(policy as SecondFactorPolicy, has, shown.proof, shown.isTrusted)).toBe(admission);
    },
  );

  it("does not ask which of the two kinds of key it was, nor for a verified user beside a password", () => {
    for (const key of ["swk", "hwk"]) {
      for (const policy of ["optional", "required", "passkey"] as const) {
        for (const standing of Object.values(STANDINGS)) {
          expect(judge(policy, standing, { pwd: 1, [key]: 2 })).toBe("session");
          expect(judge(policy, standing, { pwd: 1, [key]: 2, uv: 2 })).toBe("session");
          expect(judge(policy, standing, { [key]: 2, uv: 2 })).toBe("session");
        }
      }
    }
  });

  it("does not depend on how much of a kind there is", () => {
    const one = { totp: 1, passkeys: 1, recoveryCodes: 1 };
    const many = { totp: 3, passkeys: 10, recoveryCodes: 10 };
    for (const { proof, isTrusted } of Object.values(PROOFS)) {
      expect(judge("required", one, proof, isTrusted)).toBe(judge("required", many, proof, isTrusted));
    }
  });

  it("is never a challenge that nothing can answer", () => {
    for (const { policy, standing, admission } of cases) {
      if (admission !== "challenge") continue;
      expect(methodsFor(policy as SecondFactorPolicy, STANDINGS[standing] as Standing)).not.toEqual([]);
    }
  });
});

describe("what a sign-in can be answered with", () => {
  it.each([
    ["optional", "nothing", []],
    ["optional", "totp", ["totp", "recovery_code"]],
    ["optional", "passkey", ["passkey", "recovery_code"]],
    ["optional", "both", ["totp", "passkey", "recovery_code"]],
    ["optional", "codes", ["recovery_code"]],
    ["required", "nothing", []],
    ["required", "totp", ["totp", "recovery_code"]],
    ["required", "passkey", ["passkey", "recovery_code"]],
    ["required", "both", ["totp", "passkey", "recovery_code"]],
    ["required", "codes", ["recovery_code"]],
    ["passkey", "nothing", []],
    // A code guards the way to the first passkey, and is worth nothing beside one.
    ["passkey", "totp", ["totp", "recovery_code"]],
    ["passkey", "passkey", ["passkey", "recovery_code"]],
    ["passkey", "both", ["passkey", "recovery_code"]],
    ["passkey", "codes", ["recovery_code"]],
  ] as const)("%s, %s: %j", (policy, standing, methods) => {
    expect(methodsFor(policy, STANDINGS[standing] as Standing)).toEqual(methods);
  });

  it("names no recovery code where none is left", () => {
    expect(methodsFor("optional", { totp: 1, passkeys: 1, recoveryCodes: 0 })).toEqual(["totp", "passkey"]);
  });
});

describe("what a session can prove itself with", () => {
  const has = STANDINGS.both as Standing;
  const ALL = ["totp", "passkey", "recovery_code"];
  const BUT_CODES = ["passkey", "recovery_code"];

  it.each([
    ["a password in a trusted browser", { pwd: 1 }, ALL, BUT_CODES],
    ["password and code", { pwd: 1, otp: 2 }, ALL, BUT_CODES],
    ["password and passkey", { pwd: 1, swk: 2 }, ALL, BUT_CODES],
    ["a passkey alone", { swk: 2, uv: 2 }, ALL, BUT_CODES],
    ["password and recovery code", { pwd: 1, recovery_code: 2 }, ALL, BUT_CODES],
    // A code in the place of the recovery code would be one factor, and less than what is there.
    ["a recovery code in the place of a passkey", { recovery_code: 2 }, BUT_CODES, BUT_CODES],
  ])("is only what comes to enough: %s", (_, proof, methods, wherePasskeysCount) => {
    expect(methodsOfSession("optional", has, proof)).toEqual(methods);
    expect(methodsOfSession("required", has, proof)).toEqual(methods);
    expect(methodsOfSession("passkey", has, proof)).toEqual(wherePasskeysCount);
  });

  it("is only what the account has", () => {
    const proof = { pwd: 1 };
    expect(methodsOfSession("optional", STANDINGS.nothing as Standing, proof)).toEqual([]);
    expect(methodsOfSession("optional", STANDINGS.totp as Standing, proof)).toEqual(["totp", "recovery_code"]);
    expect(methodsOfSession("optional", STANDINGS.codes as Standing, proof)).toEqual(["recovery_code"]);
    expect(methodsOfSession("passkey", { totp: 3, passkeys: 0, recoveryCodes: 0 }, proof)).toEqual([]);
  });

  it("leads to a session whatever of it is shown, by a passkey that verifies its user where no password was shown", () => {
    const proofs: Proof[] = [{ pwd: 1 }, { pwd: 1, otp: 2 }, { swk: 2, uv: 2 }, { recovery_code: 2 }];
    for (const policy of ["optional", "required", "passkey"] as const) {
      for (const proof of proofs) {
        for (const method of methodsOfSession(policy, has, proof)) {
          const proven =
            method === "passkey" ? { method, key: "swk" as const, userVerified: proof.pwd === undefined } : { method };
          expect(judge(policy, has, withProven(proof, proven, 9000)), `${policy} ${method}`).toBe("session");
        }
      }
    }
  });
});
