import { describeProof, type Proof, passkeyTime, withProven } from "../tokens/proof.ts";

/** A way to answer at the second door. */
export type SecondFactorMethod = "totp" | "passkey" | "recovery_code";

/** What an operator demands: `optional` lets in who has no factor, `required` does not, `passkey` lets only passkeys count. */
export type SecondFactorPolicy = "optional" | "required" | "passkey";

/** How many of each kind an account could answer with. */
export interface Standing {
  totp: number;
  passkeys: number;
  recoveryCodes: number;
}

/** What a sign-in, or the next generation of a session, may become. */
export type Admission = "session" | "challenge" | "enrolment";

/**
 * May this account have a session now? Every path that opens or continues one asks here, with what has been proven.
 * `challenge`: the account can show more, and must. `enrolment`: more is demanded than the account has; it may add a
 * factor and nothing else.
 */
export function judge(policy: SecondFactorPolicy, standing: Standing, proof: Proof, isTrusted = false): Admission {
  const { acr } = describeProof(proof);
  const isEnough = acr === "aal2" && (policy !== "passkey" || passkeyTime(proof) !== undefined);
  if (isEnough || acr === "aal2-recovery" || isTrusted) return "session";
  // A code does not count here, and there is nothing better: who has shown it may add a passkey.
  if (acr === "aal2" && standing.passkeys === 0) return "enrolment";
  if (methodsFor(policy, standing).length > 0) return "challenge";
  return policy === "optional" ? "session" : "enrolment";
}

/**
 * What the account can answer a sign-in with. Where only passkeys count, a code still guards an account that has none
 * yet: otherwise its password alone would let a stranger add one.
 */
export function methodsFor(policy: SecondFactorPolicy, standing: Standing): SecondFactorMethod[] {
  return offered(standing, policy !== "passkey" || standing.passkeys === 0);
}

/** What a session can prove itself with: only what makes it, with what it has shown, enough of a session. */
export function methodsOfSession(policy: SecondFactorPolicy, standing: Standing, proof: Proof): SecondFactorMethod[] {
  const withCode = describeProof(withProven(proof, { method: "totp" }, 0));
  return offered(standing, policy !== "passkey" && withCode.acr === "aal2");
}

function offered({ totp, passkeys, recoveryCodes }: Standing, codesCount: boolean): SecondFactorMethod[] {
  return [
    ...(totp > 0 && codesCount ? (["totp"] as const) : []),
    ...(passkeys > 0 ? (["passkey"] as const) : []),
    ...(recoveryCodes > 0 ? (["recovery_code"] as const) : []),
  ];
}
