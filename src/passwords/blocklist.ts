import { sha256 } from "@noble/hashes/sha2.js";

/** Passwords that attackers try first, as sorted 32-bit fingerprints. */
export type Blocklist = Uint32Array;

/**
 * Unpacks a blocklist: the gaps between sorted fingerprints, each as an unsigned LEB128 number. About two bytes an
 * entry; done once, at the first password that is set in an isolate.
 */
export function unpackBlocklist(packed: Uint8Array): Blocklist {
  const fingerprints: number[] = [];
  let current = 0;
  let gap = 0;
  let shift = 0;
  for (const byte of packed) {
    gap += (byte & 0x7f) * 2 ** shift;
    shift += 7;
    if (byte >= 0x80) continue;
    current += gap;
    fingerprints.push(current);
    gap = 0;
    shift = 0;
  }
  return Uint32Array.from(fingerprints);
}

/**
 * Whether a password stands on the list, as typed or in lower case. Fingerprints can collide: with half a million
 * entries about one good password in nine thousand is refused, with capitals (two forms to look up) one in 4,400, and
 * another has to be chosen.
 */
export function isListed(blocklist: Blocklist, password: string): boolean {
  return [password, password.toLowerCase()].some((form) => contains(blocklist, fingerprint(form)));
}

/** The first four bytes of SHA-256 over the UTF-8 text. The script that builds the list computes the same. */
export function fingerprint(text: string): number {
  const digest = sha256(new TextEncoder().encode(text));
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0);
}

function contains(sorted: Uint32Array, wanted: number): boolean {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const value = sorted[middle] ?? 0;
    if (value === wanted) return true;
    if (value < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
