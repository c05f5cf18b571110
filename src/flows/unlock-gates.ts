import type { User } from "../directory/users.ts";
import { clientNetwork, UNKNOWN_NETWORK } from "../gate/network.ts";
import { networkGate } from "../gate/subjects.ts";
import type { Service, Visit } from "../service.ts";
import { unlockAddress } from "./first-door.ts";

/** Lets the address of an account be tried again. */
export async function unlockGates(service: Service, visit: Visit, { emailKey }: User): Promise<void> {
  await unlockAddress(service, await service.keyRing(visit.now), emailKey);
}

/**
 * Lets a group of sources try again, also one that an alert has throttled: what was counted against it is forgotten. In
 * any spelling of IPv4 /24 or IPv6 /48; answers the one that events have.
 */
export async function unlockSource(
  service: Service,
  visit: Visit,
  group: string,
): Promise<{ kind: "unlocked"; source: string } | { failed: string }> {
  const [address = "", length = ""] = group.split("/");
  const { network } = clientNetwork(address);
  if (network === UNKNOWN_NETWORK || !network.endsWith(`/${length}`)) {
    return { failed: "a group of sources is an IPv4 /24 or an IPv6 /48, such as 203.0.113.0/24 or 2001:db8:7::/48" };
  }
  const { shard, subjects } = await networkGate(await service.keyRing(visit.now), network);
  await service.gate(shard).lift(subjects);
  return { kind: "unlocked", source: network };
}
