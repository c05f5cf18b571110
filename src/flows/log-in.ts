import type { Verdict } from "../account/changes.ts";
import type { Knock } from "../account/first-door.ts";
import { emailKey } from "../directory/email-key.ts";
import { isOpen, type User } from "../directory/users.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { emailDigest } from "../keys/keyed-digest.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { dummyHash, hashPassword, verifyPassword } from "../passwords/password-hash.ts";
import type { ShownPassword } from "../passwords/password-policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { entryFor } from "../tokens/browser-cookie.ts";
import { openLink } from "../tokens/one-time-link.ts";
import { visitingBrowser } from "./browsers.ts";
import { askGates, countAgainstSource, tellOfSession } from "./first-door.ts";
import { withHashPlace } from "./hash-place.ts";
import { type AskedTerms, type Issued, issue, signInTerms } from "./issue.ts";
import { verdictOn } from "./mailed-links.ts";
import { tellOwner } from "./notices.ts";
import { readPossession } from "./possession.ts";

/** A sign-in by password; `proof` is the token of a mailed link, and a bot check may stand in for it at the gates. */
export interface LogInRequest extends AskedTerms {
  email: string;
  password: ShownPassword;
  proof: string | undefined;
  passedBotCheck: boolean;
}

/**
 * The first door. A right password opens a challenge where the account has a second factor. Unknown addresses, wrong
 * passwords and closed accounts walk the same path with the same work. Two storage round trips: the user and the
 * gates at once, then the account object or the gates.
 */
export function logIn(service: Service, visit: Visit, request: LogInRequest): Promise<Issued | Refusal> {
  return withHashPlace(service, visit, (place) => logInFrom(place, service, visit, request));
}

async function logInFrom(
  place: HashPlace,
  service: Service,
  visit: Visit,
  { email, password, proof, passedBotCheck, ...asked }: LogInRequest,
): Promise<Issued | Refusal> {
  const ring = await service.keyRing(visit.now);
  const possession = await readPossession(service, ring, visit);
  if (possession && "refused" in possession) return possession;
  const key = emailKey(email) ?? "";
  const [digest, { claim, recognised }, proven] = await Promise.all([
    emailDigest(ring, key),
    visitingBrowser(service, ring, visit),
    proof === undefined ? { id: undefined } : readProof(service, ring, visit, proof, key),
  ]);
  if (isRefusal(proven)) return proven;
  const credit = { browserId: entryFor(recognised, digest)?.browserId, proofId: proven.id, passedBotCheck };
  const [user, admitted] = await Promise.all([
    service.users.findByEmailKey(key),
    askGates(service, ring, visit, { emailKey: key, credit }),
  ]);
  if ("refused" in admitted) return admitted;
  const refusal = await comparePassword(place, service, visit, ring, user, password);
  if (refusal) {
    await admitted.settle("wrong", { reason: refusal.refused, ...(user ? { account: user.id } : {}) });
    return refusal;
  }
  if (!user) return { refused: "unknown_email" };
  // A proof is good for one right password, so its gate is waited for; otherwise nothing depends on the answer.
  const settled = admitted.settle("right");
  const used = proven.id === undefined ? service.waitUntil(settled) : await settled;
  if (used) return used;
  const terms = signInTerms(service, visit, asked, { roles: user.roles, emailDigest: digest, possession });
  return knock(service, visit, user, verdictOn(user, ring, visit), terms, {
    ...claim,
    isProven: proven.id !== undefined,
    possession,
  });
}

async function knock(
  service: Service,
  visit: Visit,
  { id }: User,
  verdict: Verdict,
  terms: ReturnType<typeof signInTerms>,
  who: Knock,
): Promise<Issued | Refusal> {
  const grant = await service.account(id).openFirstDoor(verdict, terms, who);
  if (!("refused" in grant)) {
    if (grant.kind === "session") tellOfSession(service, terms.emailDigest);
    return issue(service, visit, id, grant);
  }
  const unfamiliar = "unfamiliar" in grant ? grant.unfamiliar : undefined;
  if (unfamiliar) tellOwner(service, visit, id, { notice: "unfamiliar_sign_in", unfamiliar });
  return grant;
}

/** The id of a mailed proof of this address. One that is not ours is a failure of its client, like any forged link. */
async function readProof(
  service: Service,
  ring: KeyRing,
  visit: Visit,
  token: string,
  key: string,
): Promise<{ id: string } | Refusal> {
  const proof = await openLink(ring, "proof", token, visit.now);
  if (typeof proof !== "string" && proof.emailKey === key) return { id: proof.id };
  service.waitUntil(countAgainstSource(service, visit));
  return { refused: typeof proof === "string" ? proof : "link_forged" };
}

/** One hash, whoever asks for whom. A right password whose hash is outdated is hashed anew after the response. */
async function comparePassword(
  place: HashPlace,
  service: Service,
  visit: Visit,
  ring: KeyRing,
  user: User | undefined,
  password: ShownPassword,
): Promise<Refusal | undefined> {
  const stored = user?.password ?? dummyHash(ring);
  const { right, outdated } = await place.use(() => verifyPassword(ring, stored, password));
  if (!user) return { refused: "unknown_email" };
  if (!right) return { refused: "wrong_password" };
  if (!isOpen(user)) return { refused: "account_not_active" };
  if (outdated) service.waitUntil(rehash(service, visit, ring, user, password.normalized));
  return undefined;
}

/** Brings a hash up to date if there is a place for it; if not, the next sign-in will. */
async function rehash(service: Service, visit: Visit, ring: KeyRing, user: User, password: string): Promise<void> {
  await withHashPlace(service, visit, async (place) => {
    const renewed = await place.use(() => hashPassword(ring, password));
    await service.users.rehash(user.id, user.password, renewed);
    return undefined;
  });
}
