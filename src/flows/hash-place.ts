import { HASH_RETRY_AFTER_SECONDS } from "../edge-policy.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";

/**
 * Runs work that hashes a password, if there is a place for it. The place is taken before anything is waited for, and
 * given back whatever happens. Every request is held past a client that hangs up (`app.ts`): cut off in the middle one
 * would never give its place back, and eight such clients would close the door for all.
 */
export async function withHashPlace<T>(
  service: Service,
  visit: Visit,
  work: (place: HashPlace) => Promise<T | Refusal>,
): Promise<T | Refusal> {
  const place = service.takeHashPlace(visit);
  if (!place) return { refused: "no_hash_place", retryAfterSeconds: HASH_RETRY_AFTER_SECONDS };
  return work(place).finally(place.giveBack);
}
