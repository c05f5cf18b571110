import type { Operation } from "../directory/operations.ts";
import type { User } from "../directory/users.ts";
import { securityEvent } from "../events/security-event.ts";
import { clientNetwork, UNKNOWN_NETWORK } from "../gate/network.ts";
import { networkGate } from "../gate/subjects.ts";
import type { Service, Visit } from "../service.ts";
import { unlockAddress } from "./first-door.ts";

/** Lets the address of an account be tried again. */
export async function unlockGates(service: Service, visit: Visit, { emailKey }: User): Promise<void> {
  await unlockAddress(service, await service.keyRing(visit.now), emailKey);
}

/**
 * Lets a group of sources try again, also one that an alert has throttled: what was counted against it and its clients is
 * forgotten. In any spelling of an IPv4 /24 or IPv6 /48. An event of the group, under its name in events.
 */
export async function unlockSource(
  { gate, events, keyRing }: Service,
  { now }: Visit,
  group: string,
  { id, requestedBy: actor }: Operation,
): Promise<{ kind: "unlocked" } | { failed: string }> {
  const [address = "", ...length] = group.split("/");
  const { network: source } = clientNetwork(address);
  if (source === UNKNOWN_NETWORK || !source.endsWith(`/${length.join("/")}`)) {
    return { failed: "a group of sources is an IPv4 /24 or an IPv6 /48, such as 203.0.113.0/24 or 2001:db8:7::/48" };
  }
  const { shard, subjects } = await networkGate(await keyRing(now), source);
  await gate(shard).lift(subjects);
  const act = { kind: "authz_admin", actor, reason: "unlock_source", about: { operation: id } } as const;
  await events.add([securityEvent(act, { source }, now)]);
  return { kind: "unlocked" };
}
