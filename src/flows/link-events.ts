import { CHECKPOINT_EVERY_MS, LINK_PAGE_EVENTS, LINK_PAGES_A_MINUTE } from "../event-policy.ts";
import { checkpointText } from "../events/attested.ts";
import { headAfter, pageOf } from "../events/chain.ts";
import { attest } from "../keys/attestation.ts";
import type { Service, Visit } from "../service.ts";

/**
 * Links what has arrived to the chain: the minute cron's work, which nobody else does. Of two crons at once the page's
 * number lets one link, and the other one stops. What is left over waits for the next minute.
 */
export async function linkEvents({ eventChain }: Service, { now }: Visit): Promise<void> {
  let head = await eventChain.head();
  for (let pages = 0; pages < LINK_PAGES_A_MINUTE; pages += 1) {
    const rows = await eventChain.rowsAfter(head.seq, LINK_PAGE_EVENTS);
    if (rows.length === 0) return;
    // By the clock and not by the cron's start: what a page holds has arrived before it was made.
    const page = pageOf(head, rows, Math.max(now, Date.now()));
    if (!(await eventChain.link(page)) || rows.length < LINK_PAGE_EVENTS) return;
    head = headAfter(page);
  }
}

/** Signs how far the chain has come, once an hour and whether or not it has grown. The number is the check, as above. */
export async function setCheckpoint({ eventChain, keyRing }: Service, { now }: Visit): Promise<void> {
  const newest = await eventChain.newestCheckpoint();
  // Either way: one of a clock that was ahead must not be the last one until then.
  if (newest && Math.abs(now - newest.at) < CHECKPOINT_EVERY_MS) return;
  const { page, seq, hash } = await eventChain.head();
  if (page === 0) return;
  const facts = { number: (newest?.number ?? 0) + 1, page, last_seq: seq, hash, at: now };
  await eventChain.addCheckpoint({ ...facts, ...(await attest(await keyRing(now), checkpointText(facts))) });
}
