import { VERIFY_CHUNKS_AT_ONCE } from "../event-policy.ts";
import type { Checkpoint, Stub } from "../events/attested.ts";
import { beginWalk, type Checked, endWalk, headOf, type Walk, walkOn } from "../events/chain-check.ts";
import { type Break, isBreak } from "../events/chain-walk.ts";
import type { Service, Visit } from "../service.ts";

/** What came of checking a part of the chain. */
export type Verification =
  /** There is more: the next operation gets `from`. */
  | { kind: "chain_goes_on"; from: Walk }
  | { kind: "chain_broken"; broken: Break }
  | {
      kind: "chain_whole";
      /** What was checked, all operations together. */
      events: number;
      pages: number;
      checkpoints: number;
      first_seq: number;
      last_seq: number;
      /** Events that have arrived and are linked by the next minute. */
      unlinked: number;
      /** What retention has removed, and the newest checkpoint: worth keeping elsewhere. */
      stub: Stub | null;
      checkpoint: Checkpoint | null;
    };

/**
 * Checks the chain over the events from where an operation before this one has come to, or from its beginning, which is
 * what retention has left behind. As much as one operation may; the answer says whether there is more.
 */
export async function verifyEvents(service: Service, visit: Visit, from: Walk | undefined): Promise<Verification> {
  const { eventChain: chain } = service;
  const checked = { chain, ring: await service.keyRing(visit.now) };
  const [stub, last] = [await chain.newestStub(), await chain.head()];
  // Retention has come further than the operation before this one: that part is gone, and was checked when it went.
  const isBehind = from === undefined || (stub !== undefined && from.head.page < stub.page);
  const begun = isBehind ? await beginWalk(checked, stub) : from;
  const walked = isBreak(begun) ? begun : await walkUpTo(checked, begun, last.page);
  if (isBreak(walked)) {
    // Retention may have removed what was just looked at.
    const isMoved = (await chain.newestStub())?.number !== stub?.number;
    return isMoved ? verifyEvents(service, visit, from) : { kind: "chain_broken", broken: walked };
  }
  if (walked.head.page < last.page) return { kind: "chain_goes_on", from: walked };
  const { events, pages, checkpoints, head } = walked;
  return {
    kind: "chain_whole",
    ...{ events, pages, checkpoints },
    first_seq: (stub ? headOf(stub).seq : 0) + 1,
    last_seq: head.seq,
    unlinked: await chain.countAfter(head.seq),
    stub: stub ?? null,
    checkpoint: (await chain.newestCheckpoint()) ?? null,
  };
}

/** The same for an operation, which says in its payload where the one before it has come to. */
export function verifyEventsFrom(service: Service, visit: Visit, payload: string): Promise<Verification> {
  return verifyEvents(service, visit, (JSON.parse(payload) as { from?: Walk }).from);
}

async function walkUpTo(checked: Checked, begun: Walk, lastPage: number): Promise<Walk | Break> {
  let walk = begun;
  for (let chunks = 0; chunks < VERIFY_CHUNKS_AT_ONCE && walk.head.page < lastPage; chunks += 1) {
    const outcome = await walkOn(checked, walk, lastPage);
    if (isBreak(outcome)) return outcome;
    walk = outcome;
  }
  return walk.head.page < lastPage ? walk : endWalk(checked, walk);
}
