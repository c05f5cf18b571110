import { beforeAll, describe, expect, it } from "vitest";
import { type KeyRingRecord, openKeyRing, validUntil } from "../../../src/keys/key-ring.ts";
import { asked, dropped, keysOf, nameOf, turned } from "../../../src/keys/key-rotation.ts";
import { createKeyRingRecord } from "../../../src/keys/new-keys.ts";
import { NOW } from "../support/rings.ts";

const HOUR = 3_600_000;
const PERIOD = 90 * 24 * HOUR;
const AT = NOW + PERIOD + HOUR / 2;

let record: KeyRingRecord;
beforeAll(async () => {
  record = await turned(await createKeyRingRecord(NOW), NOW + PERIOD, PERIOD);
});

async function drop(key: string, ring = record, { by = "op", at = AT } = {}): Promise<KeyRingRecord> {
  const outcome = await dropped(ring, { key, by }, at);
  if (typeof outcome === "string") throw new Error(outcome);
  return outcome;
}

const kidIn = (ring: KeyRingRecord, wanted: string) => ring.signing.find(({ state }) => state === wanted)?.kid ?? "";
const links = (ring: KeyRingRecord) =>
  Object.fromEntries(ring.data.filter(({ purpose }) => purpose === "link").map((key) => [nameOf(key), key.state]));

describe("an emergency drop", () => {
  it.each(["active", "retired"])(
    "of the %s signing key leaves no signing key but the next, which signs now",
    async (state) => {
      const after = await drop(kidIn(record, state));
      expect(after.signing).toMatchObject([
        { kid: kidIn(record, "next"), state: "active", activeAt: AT },
        { state: "next", createdAt: AT },
      ]);
      const ring = await openKeyRing(after, validUntil(AT));
      expect(ring.signing.kid).toBe(kidIn(record, "next"));
      for (const gone of ["active", "retired"]) expect(ring.verifying.has(kidIn(record, gone))).toBe(false);
    },
  );

  it("of the next signing key leaves none at all: a fresh one signs", async () => {
    const after = await drop(kidIn(record, "next"));
    expect(after.signing.map(({ state }) => state)).toEqual(["active", "next"]);
    const before = record.signing.map(({ kid }) => kid);
    for (const { kid, createdAt } of after.signing) {
      expect(before).not.toContain(kid);
      expect(createdAt).toBe(AT);
    }
  });

  it("ends everything that was issued before", async () => {
    for (const key of [kidIn(record, "active"), "link.2", "link.1", "link.3"]) {
      expect(await drop(key)).toMatchObject({ epoch: record.epoch + 1, notBefore: AT });
      expect((await openKeyRing(await drop(key), validUntil(AT))).notBefore).toBe(AT);
    }
    const earlier = await drop("link.3", await drop("link.1"), { by: "other", at: AT - 1000 });
    expect(earlier).toMatchObject({ epoch: record.epoch + 2, notBefore: AT });
  });

  it.each([
    ["active", "link.2", { "link.3": "active", "link.4": "next" }],
    ["next", "link.3", { "link.2": "active", "link.3": "next" }],
    ["retired", "link.1", { "link.2": "active", "link.3": "next" }],
  ])("of the %s key of a purpose takes its place at once", async (_, key, states) => {
    const secretOf = (ring: KeyRingRecord) => ring.data.find((one) => nameOf(one) === key)?.secret;
    const after = await drop(key);
    expect(links(after)).toEqual(states);
    expect(secretOf(after)).not.toBe(secretOf(record));
    expect(kidIn(after, "active")).toBe(kidIn(record, "next"));
    const others = (ring: KeyRingRecord) =>
      ring.data.filter(({ purpose, state }) => purpose !== "link" && state !== "retired");
    expect(others(after)).toEqual(others(record));
  });

  it("takes retired keys along whose work it ends: who has one could make that work anew, with the new epoch in it", async () => {
    const after = await drop(kidIn(record, "active"));
    const left = after.data.filter(({ state }) => state === "retired").map(nameOf);
    expect(record.data.filter(({ state }) => state === "retired").length).toBeGreaterThan(0);
    expect(left).toEqual(["link.1"]);
    const lasting = await asked(record, { purpose: "pepper", by: "rotation" }, AT, PERIOD);
    if (typeof lasting === "string") throw new Error(lasting);
    const kept = await drop(kidIn(lasting, "active"), lasting);
    expect(kept.data.filter(({ state }) => state === "retired").map(nameOf)).toEqual(["link.1", "pepper.1"]);
  });

  it("keeps retired link keys, whose links take back what a thief has begun, unless a link key is named", async () => {
    const retired = (ring: KeyRingRecord) =>
      ring.data.filter(({ purpose, state }) => purpose === "link" && state === "retired").map(nameOf);
    expect(retired(record)).toEqual(["link.1"]);
    expect(retired(await drop(kidIn(record, "active")))).toEqual(["link.1"]);
    expect(retired(await drop("refresh.2"))).toEqual(["link.1"]);
    for (const key of ["link.2", "link.3", "all"]) expect(retired(await drop(key))).toEqual([]);
  });

  it("of all takes every key that can be dropped, the next ones too, and no other", async () => {
    const after = await drop("all");
    const names = new Set(keysOf(record).map(nameOf));
    const kept = keysOf(after).map(nameOf);
    const purposes = ["seal", "pepper", "recovery", "checkpoint", "digest", "handle"];
    expect(kept.filter((name) => names.has(name)).map((name) => name.split(".")[0])).toEqual(
      after.data.filter(({ purpose }) => purposes.includes(purpose)).map(({ purpose }) => purpose),
    );
    for (const purpose of ["challenge", "assertion", "dpop", "refresh", "link"]) {
      const states = after.data.filter((key) => key.purpose === purpose).map(({ state }) => state);
      expect(states).toEqual(["active", "next"]);
    }
    expect(after.epoch).toBe(record.epoch + 1);
    await openKeyRing(after, validUntil(AT));
  });

  it("of a ring of an earlier version, where nothing has a successor, makes what is lacking", async () => {
    const isActive = ({ state }: { state: string }) => state === "active";
    const older = { ...record, signing: record.signing.filter(isActive), data: record.data.filter(isActive) };
    const after = await drop("link.2", older);
    expect(links(after)).toEqual({ "link.3": "active", "link.4": "next" });
    expect(after.signing.map(({ state }) => state)).toEqual(["active", "next"]);
    expect(kidIn(after, "active")).not.toBe(kidIn(older, "active"));
  });

  it("happens once, however often its operation is executed", async () => {
    const key = kidIn(record, "active");
    const once = await drop(key);
    expect(await drop(key, once, { at: AT + 60_000 })).toBe(once);
    const turnedSince = await turned(once, AT + 2 * PERIOD, PERIOD);
    expect(await drop(key, turnedSince, { at: AT + 2 * PERIOD })).toBe(turnedSince);
    // The name of a data key comes back: the one that has it by then is another one.
    const reused = await drop("link.3");
    expect(links(reused)).toHaveProperty(["link.3"]);
    expect(await drop("link.3", reused)).toBe(reused);
    expect(await drop("link.3", reused, { by: "other" })).toMatchObject({ epoch: record.epoch + 2 });
  });

  it("remembers twenty operations and no more", async () => {
    let ring = record;
    for (let count = 1; count <= 25; count += 1) ring = await drop(kidIn(ring, "active"), ring, { by: `op ${count}` });
    expect(ring.drops?.map(({ by }) => by)).toEqual(Array.from({ length: 20 }, (_, at) => `op ${at + 6}`));
    expect(ring.signing).toHaveLength(2);
  });

  it("of a key that stored values name is refused: nobody could read them again", async () => {
    const lasting = ["seal", "pepper", "recovery", "checkpoint", "digest", "handle"];
    const keys = keysOf(record)
      .map(nameOf)
      .filter((name) => lasting.includes(name.split(".")[0] ?? ""));
    expect(keys).toHaveLength(10);
    for (const key of keys) expect(await dropped(record, { key, by: "op" }, AT)).toBe("never_dropped");
  });

  it("of a key that is not there is refused", async () => {
    for (const key of ["", "link", "link.9", "link.02", "signing", "toString", `${kidIn(record, "active")} `]) {
      expect(await dropped(record, { key, by: "op" }, AT)).toBe("unknown_key");
    }
  });
});
