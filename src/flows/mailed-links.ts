import type { Verdict } from "../account/changes.ts";
import type { User } from "../directory/users.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { type LinkPayloads, openLink, sealLink } from "../tokens/one-time-link.ts";
import { countAgainstSource } from "./first-door.ts";

/** The page that each link leads to; what it does there is the page's request, never the opening of the link. */
const PAGES: Record<keyof LinkPayloads, string> = {
  register: "verify-email",
  change_email: "verify-email",
  invitation: "accept-invitation",
  proof: "proof",
  reset_password: "reset-password",
  undo_email: "undo-email",
  freeze: "freeze",
  recovery_confirm: "confirm-recovery",
  recovery_cancel: "cancel-recovery",
  recovery_finish: "finish-recovery",
  deletion_cancel: "cancel-deletion",
};

/**
 * A link for a mail. The token stands in the fragment, so that no server on the way and no referrer sees it. `expiresAt`
 * in epoch milliseconds.
 */
export async function mailedLink<K extends keyof LinkPayloads>(
  { config }: Service,
  ring: KeyRing,
  purpose: K,
  payload: LinkPayloads[K],
  expiresAt: number,
): Promise<string> {
  return `${config.issuer}/${PAGES[purpose]}#token=${await sealLink(ring, purpose, payload, expiresAt)}`;
}

/** Links that name an account. */
type AccountLink = {
  [K in keyof LinkPayloads]: LinkPayloads[K] extends { accountId: string } ? K : never;
}[keyof LinkPayloads];

/** A link that came back, the account it names, and what the directory says of that. */
export interface OpenedLink<K extends AccountLink> {
  payload: LinkPayloads[K];
  user: User;
  ring: KeyRing;
  verdict: Verdict;
}

/** Opens a link that names an account. A forged one is a failure of its client. Whether it was used is the account's to say. */
export async function openAccountLink<K extends AccountLink>(
  service: Service,
  visit: Visit,
  purpose: K,
  token: string,
): Promise<OpenedLink<K> | Refusal> {
  const ring = await service.keyRing(visit.now);
  const payload = await openLink(ring, purpose, token, visit.now);
  if (typeof payload === "string") {
    await countAgainstSource(service, visit);
    return { refused: payload };
  }
  const user = await service.users.findById(payload.accountId);
  // A disabled account stays as the operator left it.
  if (!user || user.status === "disabled") return { refused: "link_used" };
  return { payload, user, ring, verdict: verdictOn(user, ring, visit) };
}

/** What the directory says of an account to its object. */
export function verdictOn({ passwordVersion }: User, ring: KeyRing, { now, from }: Visit): Verdict {
  return { passwordVersion, epoch: ring.epoch, readAfter: now, from };
}
