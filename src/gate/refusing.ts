import { ADDRESS_CLOSED_RETRY_AFTER_SECONDS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import { addressRefusal, type OpenTries } from "./address.ts";
import type { Subject } from "./subjects.ts";
import { type CountedKind, type FailureWindow, waitMs } from "./windows.ts";

/** A subject of a try, and what its gate knows of it. */
export interface Considered {
  subject: Subject;
  window: FailureWindow;
  open: OpenTries;
}

const REFUSED = {
  source: "source_throttled",
  network: "network_throttled",
  assertions_from_source: "source_throttled",
  assertions_from_network: "network_throttled",
  pair: "pair_throttled",
  mails_from_source: "source_throttled",
  mails_from_network: "network_throttled",
  mails_to_address: "pair_throttled",
  proofs_to_address: "pair_throttled",
} as const;

/**
 * Why a try is refused, if it is. What waiting does not help against is said first, the most final of it before the rest,
 * and otherwise how long the subject that must wait longest has to.
 */
export function refusalOf(considered: Considered[], now: number): Refusal | undefined {
  const [address] = considered.flatMap(({ subject, window, open }) =>
    subject.kind === "address" ? [addressRefusal(window, open, subject)] : [],
  );
  if (address === "address_closed") return { refused: address, retryAfterSeconds: ADDRESS_CLOSED_RETRY_AFTER_SECONDS };
  const [longest] = waitsOf(considered, now);
  if (longest?.kind === "proof") return { refused: "proof_used" };
  if (address === "address_unproven") return { refused: address };
  return longest && { refused: REFUSED[longest.kind], retryAfterSeconds: Math.ceil(longest.wait / 1000) };
}

/** The subjects that have to wait, the longest first, and before all a proof that no wait will bring back. */
function waitsOf(considered: Considered[], now: number): { kind: CountedKind; wait: number }[] {
  return considered
    .flatMap(({ subject: { kind, onlyCounted }, window, open }) =>
      kind === "address" || onlyCounted ? [] : [{ kind, wait: waitMs(kind, window, open.all, now) }],
    )
    .filter(({ wait }) => wait > 0)
    .sort((a, b) => Number(b.kind === "proof") - Number(a.kind === "proof") || b.wait - a.wait);
}
