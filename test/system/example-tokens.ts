import { createHmac, createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { claims, confused, encode, forge, ISSUER, type Json, KID, respell, seconds, trusted } from "./example-forge.ts";

// The tokens that every example is shown. All are made when they are needed: their times are of that moment.

const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicKey = createPublicKey(trusted.privateKey).export({ type: "spki", format: "pem" }).toString();
const claimsWithout = (name: string) => claims({ [name]: undefined });

/** A challenge token as the service makes it: what the first door gives, worth nothing anywhere else. */
function challengeToken(): string {
  const now = seconds();
  const header = { alg: "HS256", typ: "challenge+jwt", kid: "1" };
  const named = { iss: ISSUER, aud: "urn:sallyport:challenge", sub: "user-1", jti: "challenge-1", purpose: "login" };
  const input = `${encode(header)}.${encode({ ...named, iat: now, exp: now + 300, epoch: 1 })}`;
  return `${input}.${createHmac("sha256", randomBytes(32)).update(input).digest("base64url")}`;
}

function withoutSignature(token: string): string {
  return token.replace(/[^.]+$/, "");
}

/** The order of P-256. */
const N = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

/** The same token with the other signature that is valid for it: (r, n − s). Anybody can make it. */
export function twin(token: string): string {
  const signature = Buffer.from(token.replace(/^.*\./, ""), "base64url");
  const s = BigInt(`0x${signature.toString("hex", 32)}`);
  const other = Buffer.concat([signature.subarray(0, 32), Buffer.from((N - s).toString(16).padStart(64, "0"), "hex")]);
  return token.replace(/[^.]+$/, other.toString("base64url"));
}

/** The ten of which each example takes the first only. */
export const TEN: [string, () => string][] = [
  ["good", () => forge()],
  ["expired", () => forge({ claims: claims({ iat: seconds() - 400, exp: seconds() - 100 }) })],
  ["wrong audience", () => forge({ claims: claims({ aud: "https://other.example" }) })],
  ["wrong type", () => forge({ header: { typ: "JWT" } })],
  ["challenge token", challengeToken],
  ["alg none", () => withoutSignature(forge({ header: { alg: "none" } }))],
  ["HS256 with the public key", () => confused("HS256", publicKey)],
  ["unknown kid", () => forge({ header: { kid: KID.split("").reverse().join("") } })],
  ["malleated", () => respell(forge())],
  ["missing exp", () => forge({ claims: claimsWithout("exp") })],
];

/** Of the moment in which it is made, which may be long after this file was read. */
const changed = (changes: () => Json) => () => forge({ claims: claims(changes()) });

/** What else none of them takes. */
export const MORE: [string, () => string][] = [
  ["malleated by padding", () => `${forge()}==`],
  ["HS512 with the public key, as long as ES256", () => confused("HS512", publicKey)],
  ["the signature of another key under a known kid", () => forge({ key: stranger.privateKey })],
  ["claims edited after signing", () => forge().replace(/\.[^.]+\./, `.${encode(claims({ sub: "admin" }))}.`)],
  ["an algorithm in other letters", () => forge({ header: { alg: "es256" } })],
  ["the type of a DPoP proof", () => forge({ header: { typ: "dpop+jwt" } })],
  ["no type", () => forge({ header: { typ: undefined } })],
  ["no kid", () => forge({ header: { kid: undefined } })],
  ["an extension that must be understood", () => forge({ header: { crit: ["exp"] } })],
  ["a payload that is not encoded", () => forge({ header: { b64: false } })],
  ["wrong issuer", changed(() => ({ iss: "https://evil.example" }))],
  [
    "a list of audiences that contains this one",
    changed(() => ({ aud: ["https://service.example", "https://other.example"] })),
  ],
  ["exp as text", changed(() => ({ exp: String(seconds() + 300) }))],
  ["a fractional exp", changed(() => ({ exp: seconds() + 300.5 }))],
  ["issued in the future", changed(() => ({ iat: seconds() + 90, exp: seconds() + 300 }))],
  ["issued an hour ago, good for another", changed(() => ({ iat: seconds() - 3600, exp: seconds() + 3600 }))],
  ["bound to a key", changed(() => ({ cnf: { jkt: "x" } }))],
  ["more than 4 KiB", changed(() => ({ note: "x".repeat(4096) }))],
  ...["iss", "aud", "sub", "sid", "jti", "iat", "auth_time", "acr", "amr"].map((name): [string, () => string] => [
    `missing ${name}`,
    () => forge({ claims: claimsWithout(name) }),
  ]),
];
