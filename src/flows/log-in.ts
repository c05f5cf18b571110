import { emailKey } from "../directory/email-key.ts";
import type { User } from "../directory/users.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { dummyHash, hashPassword, verifyPassword } from "../passwords/password-hash.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { askGates } from "./first-door.ts";
import { withHashPlace } from "./hash-place.ts";
import { type IssuedChallenge, type IssuedTokens, issue, signInTerms } from "./issue.ts";

/** A sign-in by password; `password` normalised. */
export interface LogInRequest {
  email: string;
  password: string;
  remember: boolean;
}

/**
 * The first door. A right password opens a challenge where the account has a second factor. Unknown addresses, wrong
 * passwords and closed accounts walk the same path with the same work. Two storage round trips: the user and the
 * gates at once, then the account object or the gates.
 */
export function logIn(
  service: Service,
  visit: Visit,
  request: LogInRequest,
): Promise<IssuedTokens | IssuedChallenge | Refusal> {
  return withHashPlace(service, visit, (place) => logInFrom(place, service, visit, request));
}

async function logInFrom(
  place: HashPlace,
  service: Service,
  visit: Visit,
  { email, password, remember }: LogInRequest,
): Promise<IssuedTokens | IssuedChallenge | Refusal> {
  const ring = await service.keyRing(visit.now);
  const key = emailKey(email) ?? "";
  const [user, admitted] = await Promise.all([service.users.findByEmailKey(key), askGates(service, ring, visit, key)]);
  if ("refused" in admitted) return admitted;
  const refusal = await comparePassword(place, service, visit, ring, user, password);
  if (refusal || !user) {
    await admitted.settle("wrong");
    return refusal ?? { refused: "unknown_email" };
  }
  service.waitUntil(admitted.settle("right"));
  const verdict = { passwordVersion: user.passwordVersion, epoch: ring.epoch };
  const grant = await service
    .account(user.id)
    .openFirstDoor(verdict, signInTerms(service, visit, user.roles, remember));
  return "refused" in grant ? grant : issue(service, user.id, grant, visit.now);
}

/** One hash, whoever asks for whom. A right password whose hash is outdated is hashed anew after the response. */
async function comparePassword(
  place: HashPlace,
  service: Service,
  visit: Visit,
  ring: KeyRing,
  user: User | undefined,
  password: string,
): Promise<Refusal | undefined> {
  const stored = user?.password ?? dummyHash(ring);
  const { right, outdated } = await place.use(() => verifyPassword(ring, stored, password));
  if (!user) return { refused: "unknown_email" };
  if (!right) return { refused: "wrong_password" };
  if (user.status !== "active") return { refused: "account_not_active" };
  if (outdated) service.waitUntil(rehash(service, visit, ring, user, password));
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
