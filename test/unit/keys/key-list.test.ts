import { expect, it } from "vitest";
import { listKeys } from "../../../src/keys/key-list.ts";
import type { KeyRingRecord } from "../../../src/keys/key-ring.ts";
import { dropped, turned } from "../../../src/keys/key-rotation.ts";
import { createKeyRingRecord } from "../../../src/keys/new-keys.ts";
import { LINK_KEY_KEPT_MS, SIGNING_KEY_KEPT_MS } from "../../../src/token-policy.ts";
import { NOW } from "../support/rings.ts";

const PERIOD = 90 * 86_400_000;
const AT = NOW + PERIOD;

/** A list line as: state, since when and until when after the rotation. */
function linesOf(record: KeyRingRecord, purpose: string): unknown[] {
  const lines = listKeys(record, PERIOD).keys.filter((key) => key.purpose === purpose);
  return lines.map(({ state, since, changes_at: until }) => [state, since - AT, until === null ? null : until - AT]);
}

it("a list says since when each key is what it is, and until when", async () => {
  const record = await turned(await createKeyRingRecord(NOW), AT, PERIOD);
  expect(linesOf(record, "signing")).toEqual([
    ["active", 0, PERIOD],
    ["next", 0, PERIOD],
    ["retired", 0, SIGNING_KEY_KEPT_MS],
  ]);
  expect(linesOf(record, "link")).toEqual([
    ["active", 0, PERIOD],
    ["next", 0, PERIOD],
    ["retired", 0, LINK_KEY_KEPT_MS],
  ]);
  expect(linesOf(record, "seal")).toEqual([
    ["active", -PERIOD, null],
    ["next", -PERIOD, null],
  ]);
  expect(linesOf(record, "digest")).toEqual([["active", -PERIOD, null]]);
});

it("a list holds no key, only names", async () => {
  const record = await turned(await createKeyRingRecord(NOW), AT, PERIOD);
  const after = await dropped(record, { key: "link.2", by: "op" }, AT);
  if (typeof after === "string") throw new Error(after);
  const list = listKeys(after, PERIOD);
  expect(list).toMatchObject({ version: 1, epoch: 2, not_before: AT });
  for (const ring of [record, after]) {
    const text = JSON.stringify(listKeys(ring, PERIOD));
    for (const { jwk } of ring.signing)
      expect([jwk.d, jwk.x, jwk.y].some((part) => text.includes(part ?? ""))).toBe(false);
    for (const { secret } of ring.data) expect(text).not.toContain(secret);
  }
  const members = new Set(list.keys.flatMap(Object.keys));
  expect(members).toEqual(new Set(["key", "purpose", "state", "since", "changes_at"]));
});
