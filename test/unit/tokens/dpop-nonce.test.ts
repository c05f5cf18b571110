import { beforeAll, expect, it } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { isDpopNonce, makeDpopNonce } from "../../../src/tokens/dpop-nonce.ts";
import { newRing } from "../support/rings.ts";

const MINUTE = 60_000;
/** The beginning of a minute. */
const NOW = 1_800_000_000_000;

let ring: KeyRing;
let nonce: string;

beforeAll(async () => {
  ring = await newRing();
  nonce = await makeDpopNonce(ring, NOW);
});

it("is the same for everybody within a minute, and another one in the next", async () => {
  expect(await makeDpopNonce(ring, NOW + MINUTE - 1)).toBe(nonce);
  expect(await makeDpopNonce(ring, NOW + MINUTE)).not.toBe(nonce);
});

it("is good for five minutes, whenever in its minute it was given", async () => {
  expect(await isDpopNonce(ring, nonce, NOW + 6 * MINUTE - 1)).toBe(true);
  expect(await isDpopNonce(ring, nonce, NOW + 6 * MINUTE)).toBe(false);
});

it("may come from an isolate whose clock is ahead, by a minute and no more", async () => {
  expect(await isDpopNonce(ring, nonce, NOW - MINUTE)).toBe(true);
  expect(await isDpopNonce(ring, nonce, NOW - MINUTE - 1)).toBe(false);
});

it("is nobody else's: not made up, not respelt, not of another service", async () => {
  const other = await makeDpopNonce(await newRing(), NOW);
  const wrong = ["", "AAAA", `${nonce}=`, nonce.toLowerCase(), nonce.slice(0, -1), `${nonce}A`, other];
  for (const text of wrong) expect(await isDpopNonce(ring, text, NOW)).toBe(false);
});

it("breaks with any change of a character", async () => {
  for (let at = 0; at < nonce.length; at += 1) {
    const changed = nonce.slice(0, at) + (nonce[at] === "A" ? "B" : "A") + nonce.slice(at + 1);
    expect(await isDpopNonce(ring, changed, NOW)).toBe(false);
  }
});
