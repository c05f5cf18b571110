import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KeyRingStore } from "../../src/keys/key-ring-store.ts";
import { brokenFirstRing } from "../support/broken-copies.ts";
import { roots } from "../support/in-worker.ts";
import { slowCrypto } from "../support/slow-crypto.ts";

function fifty<T>(work: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: 50 }, work));
}

let restore = () => {};
beforeEach(async () => {
  await env.DB.prepare("DELETE FROM key_ring").run();
});
afterEach(() => restore());

describe("fifty isolates that find no key ring", () => {
  it.each([
    { crypto: "as the local runtime runs it", slow: false },
    { crypto: "giving up its turn", slow: true },
  ])("make one, with crypto $crypto", async ({ slow }) => {
    restore = slow ? slowCrypto() : () => {};
    const rings = await fifty(() => new KeyRingStore(roots()).current(env, Date.now()));
    expect(new Set(rings.map(({ signing }) => signing.kid)).size).toBe(1);
    expect(await env.DB.prepare("SELECT COUNT(*) AS n FROM key_ring").first("n")).toBe(1);
  });

  it("would make several if they looked first and kept theirs after", async () => {
    expect(new Set(await fifty(() => brokenFirstRing(env.DB))).size).toBeGreaterThan(1);
  });
});
