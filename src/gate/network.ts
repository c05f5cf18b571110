/** A client's address and its surroundings, in one canonical spelling each. */
export interface ClientNetwork {
  /** IPv4 /32 or IPv6 /64: what one client is taken to be. */
  source: string;
  /** IPv4 /24 or IPv6 /48: what one customer of a network can easily have. */
  network: string;
}

/** The network of an address that is unreadable or absent. */
export const UNKNOWN_NETWORK = "unknown";

/** What an unreadable or absent address counts as: all of them together are one client. */
export const UNKNOWN: ClientNetwork = { source: UNKNOWN_NETWORK, network: UNKNOWN_NETWORK };

/**
 * Reads the address that the platform put into `CF-Connecting-IP`. Spellings of one address are one client: IPv6 is
 * expanded, IPv4 inside IPv6 is IPv4.
 */
export function clientNetwork(address: string | undefined): ClientNetwork {
  if (!address) return UNKNOWN;
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return networkOfV4(address.split(".").map(Number));
  const groups = groupsOfV6(address);
  if (!groups) return UNKNOWN;
  const [high = 0, low = 0] = groups.slice(6);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return networkOfV4([high >> 8, high & 0xff, low >> 8, low & 0xff]);
  const hex = groups.map((group) => group.toString(16));
  return { source: `${hex.slice(0, 4).join(":")}::/64`, network: `${hex.slice(0, 3).join(":")}::/48` };
}

/** How the clients of a network begin, and those of no other: `203.0.113.` or `2001:db8:7:`. */
export function clientsOf(network: string): string {
  return network.replace(/(?<=\.)0\/24$|(?<=:):\/48$/, "");
}

function networkOfV4(octets: number[]): ClientNetwork {
  if (octets.some((octet) => octet > 255)) return UNKNOWN;
  return { source: octets.join("."), network: `${octets.slice(0, 3).join(".")}.0/24` };
}

/** The eight groups of an IPv6 address, spelled out by the URL parser (WHATWG URL, host parsing). */
function groupsOfV6(address: string): number[] | undefined {
  if (!/^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(address) || !URL.canParse(`http://[${address}]`)) return undefined;
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail = ""] = canonical.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const zeros = Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
}
