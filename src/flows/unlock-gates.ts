import type { User } from "../directory/users.ts";
import type { Service, Visit } from "../service.ts";
import { unlockAddress } from "./first-door.ts";

/** Lets the address of an account be tried again. */
export async function unlockGates(service: Service, visit: Visit, { emailKey }: User): Promise<void> {
  await unlockAddress(service, await service.keyRing(visit.now), emailKey);
}
