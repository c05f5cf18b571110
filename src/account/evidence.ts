import { type Assertion, type AssertionResponse, type RelyingParty, verifyAssertion } from "../factors/passkey.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { ProvenFactor } from "../tokens/proof.ts";
import type { Guard } from "./account-store.ts";
import type { ReservedAnswer } from "./attempts.ts";
import { spendKeptCode } from "./email-undo.ts";
import type { Factor } from "./factors.ts";
import { type Passkey, provenBy, takeSignCount } from "./passkeys.ts";
import { digestFor, spendCode } from "./recovery-codes.ts";
import { type MatchedSteps, matchFactors, provenStep } from "./totp-factors.ts";

/** What somebody gives at the second door. Codes in their normal form; `userHandle` is the account's own. */
export type GivenAnswer =
  | { method: "totp"; code: string }
  | { method: "recovery_code"; code: string }
  | ({ method: "passkey" } & GivenAssertion);

/** An assertion, and what it must have been made for. */
export interface GivenAssertion {
  response: AssertionResponse;
  rp: RelyingParty;
  userHandle: string;
}

/** What checking an answer has found, before anything of the account is decided by it. */
export type Evidence =
  | { method: "totp"; matches: MatchedSteps }
  | { method: "recovery_code"; digest: string | undefined }
  | { method: "passkey"; passkeyId?: string; assertion?: Assertion | undefined };

/** What an answer has proven, and by which factor if it was not a recovery code. */
export type Proven = ProvenFactor & { factorId?: string };

/** Why an answer proves nothing. */
export type Unproven = "wrong_code" | "replayed_code" | "wrong_recovery_code" | "wrong_assertion" | "sign_count_fell";

/** Does the slow part: computes codes and verifies signatures against what was read when the attempt was taken. */
export async function gatherEvidence(
  ring: KeyRing,
  accountId: string,
  { takenAt, usable, recoveryCodes, webauthn, mustVerifyUser }: ReservedAnswer,
  given: GivenAnswer,
): Promise<Evidence> {
  switch (given.method) {
    case "totp": {
      const apps = usable.filter((factor) => factor.kind === "totp");
      return { method: "totp", matches: await matchFactors(ring, accountId, apps, given.code, takenAt) };
    }
    case "recovery_code":
      return { method: "recovery_code", digest: await digestFor(ring, accountId, recoveryCodes, given.code) };
    case "passkey": {
      const passkey = passkeyNamed(usable, given.response);
      if (!passkey) return { method: "passkey" };
      const { rp, response, userHandle } = given;
      const demands = { requireUserVerification: mustVerifyUser, userHandle };
      const assertion = await verifyAssertion(rp, webauthn, passkey.credential, response, demands);
      return { method: "passkey", passkeyId: passkey.id, assertion };
    }
  }
}

/**
 * Decides whether evidence proves a factor that is usable now, and spends what is good only once in the same step: a
 * TOTP step, a signature counter, a recovery code.
 */
export function prove(
  guard: Guard,
  usable: Factor[],
  evidence: Evidence,
  now: number,
): Proven | { unproven: Unproven } {
  switch (evidence.method) {
    case "totp":
      return proveTotp(guard, usable, evidence.matches, now);
    case "recovery_code": {
      const left = spendCode(guard.recoveryCodes, evidence.digest);
      if (!left) return { unproven: "wrong_recovery_code" };
      guard.recoveryCodes = left;
      spendKeptCode(guard, evidence.digest);
      return { method: "recovery_code" };
    }
    case "passkey": {
      const passkey = usable.find(({ id }) => id === evidence.passkeyId);
      if (passkey?.kind !== "passkey" || !evidence.assertion) return { unproven: "wrong_assertion" };
      if (!takeSignCount(guard, passkey, evidence.assertion, now)) return { unproven: "sign_count_fell" };
      return { ...provenBy(passkey, evidence.assertion), factorId: passkey.id };
    }
  }
}

/** The passkey whose credential a response names. */
export function passkeyNamed(factors: Factor[], { id }: AssertionResponse): Passkey | undefined {
  return factors.find((factor): factor is Passkey => factor.kind === "passkey" && factor.credential.id === id);
}

function proveTotp(
  guard: Guard,
  usable: Factor[],
  matches: MatchedSteps,
  now: number,
): Proven | { unproven: Unproven } {
  const ofUsable = matches.filter(({ factorId }) => usable.some(({ id }) => id === factorId));
  const proven = provenStep(ofUsable, (factorId) => guard.accepted[factorId]?.step);
  if (!proven) return { unproven: matches.some(({ steps }) => steps.length > 0) ? "replayed_code" : "wrong_code" };
  guard.accepted[proven.factorId] = { step: proven.step, at: now };
  return { method: "totp", factorId: proven.factorId };
}
