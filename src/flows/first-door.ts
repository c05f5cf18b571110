import type { Outcome } from "../gate/gate-object.ts";
import { emailGate, type GateRequest, sourceGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";

/** A try at the first door that the gates have let through and that has to be settled. */
export interface AdmittedTry {
  /** Refused only where a mailed proof was brought that another right password has used up meanwhile. */
  settle(outcome: Outcome): Promise<Refusal | undefined>;
}

/** What speaks for whoever knocks. */
export interface Credit {
  /** A browser that is recognised for this very address. */
  browserId?: string | undefined;
  /** A mailed proof of this very address. */
  proofId?: string | undefined;
}

/**
 * Asks the gates of the client and of the email key at once, before any hash runs. Refused by one, the try is
 * released at the other: a refused try is nobody's failure.
 */
export async function askGates(
  service: Service,
  ring: KeyRing,
  { network }: Visit,
  emailKey: string,
  { browserId, proofId }: Credit = {},
): Promise<AdmittedTry | Refusal> {
  const requests = await Promise.all([
    sourceGate(ring, network, browserId !== undefined),
    emailGate(ring, emailKey, network, browserId, proofId),
  ]);
  const answers = await Promise.all(requests.map((request) => reserve(service, request)));
  const settle = async (outcome: Outcome) => {
    const settled = await Promise.all(
      answers.map((answer) => (isRefusal(answer) ? undefined : answer.settle(outcome))),
    );
    return settled.find((refusal) => refusal !== undefined);
  };
  const refusal = answers.find(isRefusal);
  if (!refusal) return { settle };
  service.waitUntil(settle("released"));
  return refusal;
}

/** Whoever has just set the password of this address by mail need not wait for what was tried before. */
export async function forgiveAddress(
  service: Service,
  ring: KeyRing,
  { network }: Visit,
  emailKey: string,
): Promise<void> {
  const { shard, subjects } = await emailGate(ring, emailKey, network);
  await service.gate(shard).forgive(subjects);
}

/** Counts a failure of the client that was not worth a hash: a malformed body, a forged link. */
export async function countAgainstSource(service: Service, visit: Visit): Promise<void> {
  const { shard, subjects } = await sourceGate(await service.keyRing(visit.now), visit.network);
  await service.gate(shard).spend(subjects);
}

/** Takes a try at one gate. */
export async function reserve(service: Service, { shard, subjects }: GateRequest): Promise<AdmittedTry | Refusal> {
  const gate = service.gate(shard);
  const answer = await gate.reserve(subjects);
  if ("refused" in answer) return answer;
  const { reservation } = answer;
  return { settle: async (outcome) => (await gate.settle(reservation, subjects, outcome)) ?? undefined };
}
