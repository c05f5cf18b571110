/** Header and claims of a JWT, unverified. */
export function partsOf(jwt: string): [header: Record<string, unknown>, claims: Record<string, unknown>] {
  const [header = "", claims = ""] = jwt.split(".").map((part) => Buffer.from(part, "base64url").toString());
  return [JSON.parse(header), JSON.parse(claims)];
}

/** A JWT with this header and these claims and an HS256 signature, put together by hand: nothing is checked. */
export async function signedByHand(key: CryptoKey, header: object, claims: object): Promise<string> {
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const mac = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(input));
  return `${input}.${Buffer.from(mac).toString("base64url")}`;
}

/** The same text with its unused last bits set: lenient decoders do not see the difference. */
export function respelt(base64url: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return base64url.slice(0, -1) + alphabet[alphabet.indexOf(base64url.at(-1) ?? "") + 1];
}
