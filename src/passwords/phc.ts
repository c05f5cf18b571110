import * as base64url from "jose/base64url";
import type { Argon2Parameters } from "./argon2id.ts";

/** A stored password hash. `pepperId` is the ring's key that the tag was keyed with. */
export interface StoredHash {
  parameters: Argon2Parameters;
  pepperId: number;
  salt: Uint8Array;
  tag: Uint8Array;
}

const B64 = "[A-Za-z0-9+/]+";
const PHC = new RegExp(
  `^\\$argon2id\\$v=19\\$m=(\\d{1,7}),t=(\\d{1,3}),p=(\\d{1,2}),keyid=(${B64})\\$(${B64})\\$(${B64})$`,
);

/** The PHC string of a hash: algorithm, version, cost and `keyid`, salt, tag, in base64 without padding. */
export function formatPhc({ parameters, pepperId, salt, tag }: StoredHash): string {
  const { memory, passes, lanes } = parameters;
  const cost = `m=${memory},t=${passes},p=${lanes},keyid=${base64(Uint8Array.of(pepperId))}`;
  return `$argon2id$v=19$${cost}$${base64(salt)}$${base64(tag)}`;
}

/** Reads a PHC string that {@link formatPhc} wrote, in exactly that spelling; `undefined` for any other. */
export function parsePhc(phc: string): StoredHash | undefined {
  const [, memory, passes, lanes, keyId = "", salt = "", tag = ""] = PHC.exec(phc) ?? [];
  try {
    const parameters = { memory: Number(memory), passes: Number(passes), lanes: Number(lanes) };
    const stored = { parameters, pepperId: bytes(keyId)[0] ?? 0, salt: bytes(salt), tag: bytes(tag) };
    return formatPhc(stored) === phc ? stored : undefined;
  } catch {
    return undefined;
  }
}

function base64(value: Uint8Array): string {
  return base64url.encode(value).replaceAll("-", "+").replaceAll("_", "/");
}

function bytes(text: string): Uint8Array {
  return base64url.decode(text.replaceAll("+", "-").replaceAll("/", "_"));
}
