import { CHAIN_CHUNK } from "../event-policy.ts";
import { isAttested } from "../keys/attestation.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { type Checkpoint, checkpointText, type Stub, stubText } from "./attested.ts";
import { type ChainHead, type ChainPage, GENESIS } from "./chain.ts";
import type { ChainStore } from "./chain-store.ts";
import { type Break, isBreak, walkPage } from "./chain-walk.ts";

/** How far a check has come. */
export interface Walk {
  head: ChainHead;
  /** Number of the last checkpoint that was looked at. */
  checkpoint: number;
  /** How many were right so far. */
  events: number;
  pages: number;
  checkpoints: number;
}

/** What a check needs. */
export interface Checked {
  chain: ChainStore;
  ring: KeyRing;
}

/** Where a check begins: at what retention has left behind, or at the very beginning. */
export async function beginWalk({ chain, ring }: Checked, stub: Stub | undefined): Promise<Walk | Break> {
  if (stub && !(await isAttested(ring, stubText(stub), stub))) return { what: "stub", number: stub.number };
  const head = stub ? headOf(stub) : GENESIS;
  const { seq, page } = await chain.strays(head);
  if (seq !== undefined) return { what: "inserted", seq };
  if (page !== undefined) return { what: "inserted", page };
  const passed = await checkpointPassed({ chain, ring }, head);
  if (isBreak(passed)) return passed;
  return { head, checkpoint: passed.number, events: 0, pages: 0, checkpoints: 0 };
}

/**
 * The last checkpoint about what retention has removed: the check goes on behind it. One that this service has not signed
 * could lead past every other one.
 */
async function checkpointPassed({ chain, ring }: Checked, { page }: ChainHead): Promise<{ number: number } | Break> {
  if (page === GENESIS.page) return { number: 0 };
  const passed = await chain.checkpointBefore(page);
  if (!passed) return { number: 0 };
  return (await isAttested(ring, checkpointText(passed), passed))
    ? passed
    : { what: "signature", number: passed.number };
}

/** Checks the next pages, as many as are read at once and none after `lastPage`, which there has to be. */
export async function walkOn({ chain, ring }: Checked, walk: Walk, lastPage: number): Promise<Walk | Break> {
  const pages = await pagesAfter(chain, walk.head, lastPage);
  if (isBreak(pages)) return pages;
  const rows = await chain.rowsBetween(walk.head.seq + 1, pages.at(-1)?.last_seq ?? 0);
  const heads = [walk.head];
  let [head, at] = [walk.head, 0];
  for (const page of pages) {
    const begin = at;
    while ((rows[at]?.seq ?? Number.POSITIVE_INFINITY) <= page.last_seq) at += 1;
    const outcome = walkPage(head, page, rows.slice(begin, at));
    if (isBreak(outcome)) return outcome;
    head = outcome;
    heads.push(head);
  }
  const counted = { ...walk, head, events: walk.events + rows.length, pages: walk.pages + pages.length };
  return walkCheckpoints({ chain, ring }, counted, heads);
}

/** The end of a check: every checkpoint has been about a page that is there. */
export async function endWalk({ chain, ring }: Checked, walk: Walk): Promise<Walk | Break> {
  const [left] = await chain.checkpointsAfter(walk.checkpoint, 1);
  if (!left) return walk;
  if (!(await isAttested(ring, checkpointText(left), left))) return { what: "signature", number: left.number };
  if (left.number !== walk.checkpoint + 1) return { what: "missing", number: walk.checkpoint + 1 };
  // It may have been linked and signed since this check began.
  return (await chain.head()).page >= left.page ? walk : { what: "missing", page: walk.head.page + 1 };
}

/** Where the chain stood when retention ended. */
export function headOf({ page, last_seq, hash }: Pick<Stub, "page" | "last_seq" | "hash">): ChainHead {
  return { page, seq: last_seq, hash };
}

async function pagesAfter(chain: ChainStore, { page, seq }: ChainHead, lastPage: number): Promise<ChainPage[] | Break> {
  const pages = await chain.pagesAfter(page, CHAIN_CHUNK.pages, seq + CHAIN_CHUNK.events);
  // Up to a gap: what it is about is found out when the next ones are read.
  const due = pages.filter(({ number }, index) => number <= lastPage && number === page + 1 + index);
  if (due.length > 0) return due;
  // One that says that it ends further away than a page can is there all the same.
  const [next] = await chain.pagesAfter(page, 1, Number.MAX_SAFE_INTEGER);
  return { what: next ? "page" : "missing", page: page + 1 };
}

/** Checks the checkpoints about these pages, and leaves those about later ones for later. */
async function walkCheckpoints({ chain, ring }: Checked, walk: Walk, heads: ChainHead[]): Promise<Walk | Break> {
  let { checkpoint, checkpoints } = walk;
  for (;;) {
    const read = await chain.checkpointsAfter(checkpoint, CHAIN_CHUNK.checkpoints);
    const due = read.slice(0, firstLaterThan(read, walk.head.page));
    for (const found of due) {
      if (!(await isAttested(ring, checkpointText(found), found))) return { what: "signature", number: found.number };
      if (found.number !== checkpoint + 1) return { what: "missing", number: checkpoint + 1 };
      const head = heads.find(({ page }) => page === found.page);
      // A right signature about another chain: this one was made anew since.
      if (!head || head.hash !== found.hash || head.seq !== found.last_seq)
        return { what: "signature", number: found.number, page: found.page };
      checkpoint = found.number;
      checkpoints += 1;
    }
    if (due.length < CHAIN_CHUNK.checkpoints) return { ...walk, checkpoint, checkpoints };
  }
}

function firstLaterThan(checkpoints: Checkpoint[], page: number): number {
  const at = checkpoints.findIndex((checkpoint) => checkpoint.page > page);
  return at < 0 ? checkpoints.length : at;
}
