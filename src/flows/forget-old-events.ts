import { CHAIN_CHUNK, RETENTION_CHUNKS_A_MINUTE, RETENTION_SLACK_MS } from "../event-policy.ts";
import { stubText } from "../events/attested.ts";
import { beginWalk, type Walk, walkOn } from "../events/chain-check.ts";
import { type Break, isBreak } from "../events/chain-walk.ts";
import { attest } from "../keys/attestation.ts";
import { logLine } from "../log.ts";
import type { Service, Visit } from "../service.ts";

/**
 * Removes events that are older than they are kept, by whole pages of the chain and the oldest first, and leaves a signed
 * stub. What is removed is checked before: otherwise this would sign whatever somebody has put there. The newest page
 * stays, however old it is, because the number of the newest event must not be given to another one.
 */
export async function forgetOldEvents(service: Service, { now }: Visit): Promise<void> {
  const keptSince = now - service.config.eventRetentionMs;
  const [oldest, next] = await service.eventChain.oldestPages();
  if (!oldest || !next || oldest.made_at > keptSince - RETENTION_SLACK_MS) return;
  for (let chunks = 0; chunks < RETENTION_CHUNKS_A_MINUTE; chunks += 1) {
    if (!(await removeChunk(service, keptSince, now))) return;
  }
}

/** False when nothing more is to be removed, or somebody else does it. */
async function removeChunk({ eventChain: chain, keyRing }: Service, keptSince: number, now: number): Promise<boolean> {
  const [before, head] = [await chain.newestStub(), await chain.head()];
  const checked = { chain, ring: await keyRing(now) };
  const begun = await beginWalk(checked, before);
  if (isBreak(begun)) return stopped(begun);
  const lastPage = (await chain.pagesAfter(begun.head.page, CHAIN_CHUNK.pages, begun.head.seq + CHAIN_CHUNK.events))
    .filter((page) => page.made_at <= keptSince && page.number < head.page)
    .at(-1)?.number;
  if (lastPage === undefined) return false;
  const walked = await walkOn(checked, begun, lastPage);
  if (isBreak(walked)) return stopped(walked);
  const facts = { number: (before?.number ?? 0) + 1, ...removed(walked), at: now };
  return chain.remove({ ...facts, ...(await attest(checked.ring, stubText(facts))) });
}

function removed({ head: { page, seq, hash }, events }: Walk) {
  return { page, last_seq: seq, hash, count: events };
}

/** Nothing is removed any more until somebody has looked at it: `npm run events -- verify` names the same place. */
function stopped(broken: Break): false {
  logLine({ level: "error", event: "event_chain_broken", ...broken });
  return false;
}
