import { EMAIL_LOCAL_PART_MAX_LENGTH, EMAIL_MAX_LENGTH } from "../policy.ts";
import { isCanonicalLabel } from "./a-label.ts";

/** RFC 5322 §3.2.3 dot-atom, ASCII only: an address outside it is more often an attack than a mailbox. */
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The key that makes two spellings of an address one account, or `undefined` for an address that is not taken.
 * Lower case for ASCII alone: mapping the Kelvin sign or a dotless i would let one address reach another's account
 * (CVE-2019-19844). The domain is refused, not repaired, when IDNA would change more than its case or its encoding.
 */
export function emailKey(email: string): string | undefined {
  const at = email.lastIndexOf("@");
  const localPart = email.slice(0, at);
  if (at < 1 || email.length > EMAIL_MAX_LENGTH || localPart.length > EMAIL_LOCAL_PART_MAX_LENGTH) return undefined;
  const domain = domainKey(email.slice(at + 1));
  return LOCAL_PART.test(localPart) && domain ? `${lowerAscii(localPart)}@${domain}` : undefined;
}

/** The A-label form of a domain (RFC 5890 §2.3.2.1), lower case. */
function domainKey(domain: string): string | undefined {
  const lower = lowerAscii(domain);
  if (changedByMapping(lower) || !URL.canParse(`http://${lower}`)) return undefined;
  const { hostname, host } = new URL(`http://${lower}`);
  const isAscii = /^[\x20-\x7e]+$/.test(lower);
  if (host !== hostname || (isAscii && hostname !== lower)) return undefined;
  const labels = hostname.split(".");
  // Other full stops than the ASCII one would become separators.
  if (labels.length !== domain.split(".").length) return undefined;
  const topLevel = labels.at(-1) ?? "";
  const wellFormed = labels.every((label) => LABEL.test(label) && isCanonicalLabel(label));
  return wellFormed && labels.length > 1 && !/^\d+$/.test(topLevel) ? hostname : undefined;
}

/**
 * Sharp s and final sigma: IDNA2003, which mail programs still use, makes `ss` and another sigma of them, IDNA2008
 * keeps them (UTS #46 §2.3). So mail might go to somebody else's domain. Their A-label says which one is meant.
 */
const DEVIATIONS = /[\u00df\u03c2]/;

/** What UTS #46 would fold, compose or drop, in any version: then two different texts would name one domain. */
function changedByMapping(domain: string): boolean {
  return (
    domain !== domain.normalize("NFKC").toLowerCase() ||
    DEVIATIONS.test(domain) ||
    /\p{Default_Ignorable_Code_Point}|[^\w.\-\P{ASCII}]/u.test(domain)
  );
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
