import type { Attempt, Failure } from "../gate/attempt.ts";
import type { Outcome } from "../gate/gate-object.ts";
import { addressGate, type Credit, emailGate, type GateRequest, sourceGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { emailDigest } from "../keys/keyed-digest.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";

/** A try at the first door that the gates have let through and that has to be settled. */
export interface AdmittedTry {
  /**
   * Refused only where a mailed proof was brought that another right password has used up meanwhile. `failure` is why a
   * wrong one was wrong, for its event; without it there is none.
   */
  settle(outcome: Outcome, failure?: Failure): Promise<Refusal | undefined>;
}

/** Whom a try at the first door is for, and what speaks for it. */
export interface Knocking {
  emailKey: string;
  credit?: Credit;
  /** What this door makes of the subjects of the email key: see `addressOnlyCounted` and `withoutAddress`. */
  counting?: (request: GateRequest) => GateRequest;
}

/**
 * Asks the gates of the client and of the email key at once, before any hash runs. Refused by one, the try is
 * released at the other: a refused try is nobody's failure. A failure is told by the gate of the email key when its
 * account is known, and by the client's when it is not.
 */
export async function askGates(
  service: Service,
  ring: KeyRing,
  { network, from }: Visit,
  { emailKey, credit = {}, counting = (request) => request }: Knocking,
): Promise<AdmittedTry | Refusal> {
  const address = await emailDigest(ring, emailKey);
  const attempt: Attempt = { from, address, factor: "pwd" };
  const requests = await Promise.all([
    sourceGate(ring, network, credit.browserId !== undefined, address),
    emailGate(ring, emailKey, network, credit, service.config.profile).then(counting),
  ]);
  const [bySource, byEmail] = await Promise.all(requests.map((request) => reserve(service, request, attempt)));
  const settle = async (outcome: Outcome, failure?: Failure) => {
    const isKnown = failure?.account !== undefined;
    const settled = await Promise.all([
      bySource && !isRefusal(bySource) ? bySource.settle(outcome, isKnown ? undefined : failure) : undefined,
      byEmail && !isRefusal(byEmail) ? byEmail.settle(outcome, isKnown ? failure : undefined) : undefined,
    ]);
    return settled.find((refusal) => refusal !== undefined);
  };
  const refusal = [bySource, byEmail].find((answer) => answer && isRefusal(answer));
  if (!refusal || !isRefusal(refusal)) return { settle };
  service.waitUntil(settle("released"));
  return refusal;
}

/**
 * Whoever has just set the password of this address by mail need not wait for what was tried before, and the address is
 * open again to browsers that nobody recognises.
 */
export async function forgiveAddress(
  service: Service,
  ring: KeyRing,
  { network }: Visit,
  emailKey: string,
): Promise<void> {
  const { shard, subjects } = await emailGate(ring, emailKey, network);
  await service.gate(shard).forgive(subjects);
}

/** An operator's unlock: whatever is held against this address, from whichever client, its cap included. */
export async function unlockAddress(service: Service, ring: KeyRing, emailKey: string): Promise<void> {
  const { shard, subjects } = addressGate(await emailDigest(ring, emailKey));
  await service.gate(shard).lift(subjects);
}

/**
 * Tells the gate, after the answer, that a complete sign-in has opened a session: what strangers have tried at this
 * address is forgotten. `digest` is that of its email key; an object of the version before may not know it.
 */
export function tellOfSession(service: Service, digest: string | undefined): void {
  if (!digest) return;
  const { shard, subjects } = addressGate(digest);
  // Whatever becomes of it comes after the answer: a gate that fails must not undo a sign-in.
  const tell = async () => service.gate(shard).sessionOpened(subjects);
  service.waitUntil(tell());
}

/** Counts a failure of the client that was not worth a hash: a malformed body, a forged link. */
export async function countAgainstSource(service: Service, visit: Visit): Promise<void> {
  const { shard, subjects } = await sourceGate(await service.keyRing(visit.now), visit.network);
  await service.gate(shard).spend(subjects);
}

/** Takes a try at one gate. */
export async function reserve(
  service: Service,
  { shard, subjects }: GateRequest,
  attempt: Attempt,
): Promise<AdmittedTry | Refusal> {
  const gate = service.gate(shard);
  const answer = await gate.reserve(subjects, attempt);
  if ("refused" in answer) return answer;
  const { reservation } = answer;
  return {
    settle: async (outcome, failure) =>
      (await gate.settle(reservation, subjects, outcome, failure && { ...attempt, ...failure })) ?? undefined,
  };
}
