import type { KeyRing } from "../keys/key-ring.ts";
import { seal, unseal } from "../keys/seal.ts";

/** What a link carries, by purpose. Sealed: the reader of a mail learns nothing from it but where it leads. */
export interface LinkPayloads {
  /** The address and the hash of a registration: nothing is stored until both link and password come back. */
  register: { email: string; password: string };
  /** An address, as the operator wrote it. */
  invitation: { email: string };
  /** That somebody reads the mailbox of this email key. The id is what its gate counts. */
  proof: { id: string; emailKey: string };
  /** A reset, of the login as it was then. The id says whether it is the newest. */
  reset_password: { accountId: string; id: string; passwordVersion: number };
  /** A new address for an account. */
  change_email: { accountId: string; id: string; email: string };
  /** The address that an account had before. */
  undo_email: { accountId: string; id: string; email: string };
  /** Start, end and undoing of a recovery. */
  recovery_confirm: { accountId: string; id: string };
  recovery_finish: { accountId: string; id: string };
  recovery_cancel: { accountId: string; id: string };
  /** Keeps an account that was to be deleted. */
  deletion_cancel: { accountId: string; id: string };
  /** "This was not me", from a notice. To which address and when it was sent, epoch milliseconds. */
  freeze: { accountId: string; email: string; at: number };
}

/**
 * Links that take back what a thief has begun. They outlive an emergency drop, which is made on just such a day, and which
 * nobody mails them after; a link key that has leaked is dropped itself, and they go with it.
 */
const RESCUES: ReadonlySet<keyof LinkPayloads> = new Set([
  "undo_email",
  "recovery_cancel",
  "deletion_cancel",
  "freeze",
]);

/** Why a link does not open. */
export type LinkRefusal = "link_forged" | "link_expired";

interface SealedLink<P> {
  payload: P;
  expiresAt: number;
  epoch: number;
}

/** Seals the token of a one-time link. `expiresAt` in epoch milliseconds. Matches `[A-Za-z0-9_-]+`. */
export async function sealLink<K extends keyof LinkPayloads>(
  ring: KeyRing,
  purpose: K,
  payload: LinkPayloads[K],
  expiresAt: number,
): Promise<string> {
  const link: SealedLink<LinkPayloads[K]> = { payload, expiresAt, epoch: ring.epoch };
  const plaintext = new TextEncoder().encode(JSON.stringify(link));
  return seal(ring.active("link"), plaintext, `link:${purpose}`);
}

/** Opens a link of exactly this purpose. That it is used only once is decided where its effect is stored. */
export async function openLink<K extends keyof LinkPayloads>(
  ring: KeyRing,
  purpose: K,
  token: string,
  now: number,
): Promise<LinkPayloads[K] | LinkRefusal> {
  const plaintext = await unseal(ring.byId("link"), token, `link:${purpose}`);
  if (!plaintext) return "link_forged";
  const link = JSON.parse(new TextDecoder().decode(plaintext)) as SealedLink<LinkPayloads[K]>;
  const isOfNow = link.epoch === ring.epoch || RESCUES.has(purpose);
  return isOfNow && now < link.expiresAt ? link.payload : "link_expired";
}
