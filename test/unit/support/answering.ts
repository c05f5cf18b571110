import type { AccountStore } from "../../../src/account/account-store.ts";
import { type Answerer, settleAnswer } from "../../../src/account/answers.ts";
import { reserveAnswer } from "../../../src/account/attempts.ts";
import type { Challenge } from "../../../src/account/challenges.ts";
import type { Evidence } from "../../../src/account/evidence.ts";
import { isRefusal } from "../../../src/refusal.ts";
import { challenge, claim, NOW, passkey, session, totpFactor } from "./account-samples.ts";
import { type StoredAccount, storeWith } from "./memory-store.ts";

export const STEP_UP = { purpose: "step_up", sessionId: "s1" } as const;

/** What checking a right code has found, of the factor of {@link accountWith}. */
export const CODE: Evidence = { method: "totp", matches: [{ factorId: "t1", steps: [10] }] };
export const WRONG_CODE: Evidence = { method: "totp", matches: [{ factorId: "t1", steps: [] }] };
/** And a right recovery code. */
export const RECOVERY: Evidence = { method: "recovery_code", digest: "d1" };
/** And an assertion of its passkey. */
export const assertion = (signCount = 1, userVerified = true): Evidence => ({
  method: "passkey",
  passkeyId: "p1",
  assertion: { signCount, userVerified },
});

/** An account with one open challenge, factors of both kinds, two recovery codes and a session. */
export function accountWith(
  open: Partial<Challenge> = {},
  { guard = {}, ...account }: StoredAccount = {},
): AccountStore {
  const challenges = [challenge({ methods: ["totp", "passkey", "recovery_code"], ...open })];
  return storeWith({
    factors: [totpFactor(), passkey()],
    sessions: [session()],
    ...account,
    guard: { challenges, recoveryCodes: { keyId: 1, digests: ["d1", "d2"] }, ...guard },
  });
}

/** Pays for an answer and has it judged, as the account object does; the checking in between is the evidence. */
export function answer(store: AccountStore, evidence: Evidence, who: Partial<Answerer> = {}, meanwhile = () => {}) {
  const [open] = store.guard().challenges;
  if (!open) throw new Error("no challenge is open");
  const reserved = reserveAnswer(store, { challengeId: open.id, purpose: open.purpose, method: evidence.method }, NOW);
  if (isRefusal(reserved)) return reserved;
  meanwhile();
  return settleAnswer(store, open.id, reserved, evidence, { ...claim(), asksForTrust: false, ...who }, NOW + 1000);
}
