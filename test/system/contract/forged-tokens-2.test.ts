import { base64url } from "jose";
import { describe, expect, it } from "vitest";
import { expectProblem, me, post, refreshed, signedIn, verifiedPerson } from "../../support/client.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** The order of P-256: with (r, s) a signature, (r, n − s) is one, too. */
const ORDER = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

/** The other signature of the same token. */
function malleated(token: string): string {
  const [head, payload, signature = ""] = token.split(".");
  const bytes = Buffer.from(base64url.decode(signature));
  const s = ORDER - BigInt(`0x${bytes.subarray(32).toString("hex")}`);
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex")]);
  return `${head}.${payload}.${base64url.encode(other)}`;
}

/** All texts that a forgiving decoder takes for the signature: its last character has four bits that stand for nothing. */
function sameBytes(token: string): string[] {
  const last = ALPHABET.indexOf(token.at(-1) ?? "");
  return Array.from({ length: 15 }, (_, i) => token.slice(0, -1) + ALPHABET[last + i + 1]);
}

describe("an access token", () => {
  it("has one spelling of its signature", async () => {
    const { access } = await signedIn(await verifiedPerson());
    const bytes = base64url.decode(access.split(".")[2] ?? "");
    for (const other of sameBytes(access)) {
      expect(Buffer.from(other.split(".")[2] ?? "", "base64url")).toEqual(Buffer.from(bytes));
      expectProblem(await me(other), 401, "invalid_token");
    }
    expect((await me(access)).status).toBe(200);
  });

  it("is over with its session under either of its two signatures", async () => {
    const person = await verifiedPerson();
    const [session, kept] = [await signedIn(person), await signedIn(person)];
    const other = malleated(session.access);
    expect(malleated(other)).toBe(session.access);
    expect(other).not.toBe(session.access);
    expect((await me(session.access)).status).toBe(200);
    expect((await post("/auth/logout", {}, { bearer: session.access })).status).toBe(204);
    for (const token of [session.access, other]) expectProblem(await me(token), 401, "invalid_token");
    expectProblem(await refreshed(session.refresh), 401, "invalid_refresh_token");
    // Whoever takes it for good ends the session with it; whoever does not answers the same and ends nothing.
    const twin = malleated(kept.access);
    const { status } = await me(twin);
    expect([200, 401]).toContain(status);
    expect((await post("/auth/logout", {}, { bearer: twin })).status).toBe(204);
    expect((await me(kept.access)).status).toBe(status === 200 ? 401 : 200);
  });
});
