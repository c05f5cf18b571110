import { matchingSteps, newestUnusedStep } from "../factors/totp.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { unseal } from "../keys/seal.ts";
import { TOTP_PENDING_ATTEMPTS } from "../policy.ts";

/** An authenticator app as the account remembers it. Times in epoch milliseconds. */
export interface TotpFactor {
  kind: "totp";
  id: string;
  label: string;
  /** AES-256-GCM, bound to the account and this factor. */
  sealedSecret: string;
  createdAt: number;
  /** While it waits for its first code: who may give it, until when, and how many were wrong. */
  pending?: { ownerId: string; until: number; attempts: number };
  /** The session that enrolled it after a recovery code had opened that session. */
  enrolledAfterRecoveryBy?: string;
  /** Added under an address that was taken back: it does not count until an older factor is proven. */
  suspended?: true;
}

/** The steps of each factor that a code matched. */
export type MatchedSteps = { factorId: string; steps: number[] }[];

/** Whether a pending factor can still be confirmed by this session or enrolment. */
export function isConfirmable(factor: TotpFactor, ownerId: string, now: number): boolean {
  const { pending } = factor;
  return pending?.ownerId === ownerId && now < pending.until && pending.attempts < TOTP_PENDING_ATTEMPTS;
}

/** What the sealed secret of a factor is bound to. */
export function sealContext(accountId: string, factorId: string): string {
  return `totp:${accountId}:${factorId}`;
}

/**
 * Compares a code with every given factor: all of them, whatever the first one says. A factor whose secret does not
 * open matches nothing.
 */
export async function matchFactors(
  ring: KeyRing,
  accountId: string,
  factors: TotpFactor[],
  code: string,
  now: number,
): Promise<MatchedSteps> {
  return Promise.all(
    factors.map(async ({ id, sealedSecret }) => {
      const secret = await unseal(ring.byId("seal"), sealedSecret, sealContext(accountId, id));
      return { factorId: id, steps: secret ? await matchingSteps(secret, code, now) : [] };
    }),
  );
}

/** The factor and step that a code proves now, given the last accepted step of each. */
export function provenStep(
  matches: MatchedSteps,
  lastAccepted: (factorId: string) => number | undefined,
): { factorId: string; step: number } | undefined {
  for (const { factorId, steps } of matches) {
    const step = newestUnusedStep(steps, lastAccepted(factorId));
    if (step !== undefined) return { factorId, step };
  }
  return undefined;
}
