import packed from "./blocklist.bin";
import { type Blocklist, isListed, unpackBlocklist } from "./blocklist.ts";

let blocklist: Blocklist | undefined;

/** Whether a password is among the most common ones. The list is unpacked at the first question an isolate gets. */
export function isCommonPassword(password: string): boolean {
  blocklist ??= unpackBlocklist(new Uint8Array(packed));
  return isListed(blocklist, password);
}
