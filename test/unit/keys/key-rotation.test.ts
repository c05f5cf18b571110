import { beforeAll, describe, expect, it } from "vitest";
import { listKeys } from "../../../src/keys/key-list.ts";
import { type KeyPurpose, PURPOSE_RULES } from "../../../src/keys/key-purposes.ts";
import type { KeyRingRecord } from "../../../src/keys/key-ring.ts";
import { activated, asked, keysOf, nameOf, purposeOf, turned } from "../../../src/keys/key-rotation.ts";
import { createKeyRingRecord } from "../../../src/keys/new-keys.ts";
import {
  DATA_KEY_LEAD_MS,
  KEY_RING_TTL_MS,
  LINK_KEY_KEPT_MS,
  REFRESH_KEY_KEPT_MS,
  SIGNING_KEY_KEPT_MS,
  SIGNING_KEY_LEAD_MS,
} from "../../../src/token-policy.ts";
import { NOW } from "../support/rings.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const PERIOD = 90 * DAY;
const BY_THEMSELVES: KeyPurpose[] = ["signing", "challenge", "assertion", "dpop", "refresh", "link"];
const WHEN_ASKED: KeyPurpose[] = ["seal", "pepper", "recovery"];
const NEVER: KeyPurpose[] = ["digest", "handle"];

let record: KeyRingRecord;
beforeAll(async () => {
  record = await createKeyRingRecord(NOW);
});

/** Names of the keys of a purpose, each with its state. */
function statesOf(ring: KeyRingRecord, purpose: KeyPurpose): Record<string, string> {
  const keys = keysOf(ring).filter((key) => purposeOf(key) === purpose);
  return Object.fromEntries(keys.map((key) => [nameOf(key), key.state]));
}

async function askedFor(ring: KeyRingRecord, purpose: string, by: string, now: number): Promise<KeyRingRecord> {
  const outcome = await asked(ring, { purpose, by }, now, PERIOD);
  if (typeof outcome === "string") throw new Error(outcome);
  return outcome;
}

const kids = (ring: KeyRingRecord) => ring.signing.map(({ kid }) => kid);

describe("by itself a key", () => {
  it("changes nothing before its time is up: the same record", async () => {
    for (const at of [0, DAY, PERIOD - 1]) expect(await turned(record, NOW + at, PERIOD)).toBe(record);
  });

  it("gives way to the next one when its time is up, and a new next one is published with it", async () => {
    const at = NOW + PERIOD;
    const after = await turned(record, at, PERIOD);
    const [old, next] = record.signing;
    expect(after.signing).toMatchObject([
      { kid: old?.kid, state: "retired", retiredAt: at },
      { kid: next?.kid, state: "active", activeAt: at, createdAt: NOW },
      { state: "next", createdAt: at },
    ]);
    expect(statesOf(after, "link")).toEqual({ "link.1": "retired", "link.2": "active", "link.3": "next" });
    for (const purpose of BY_THEMSELVES) {
      expect(Object.values(statesOf(after, purpose)).toSorted()).toEqual(["active", "next", "retired"]);
    }
    expect(after).toMatchObject({ epoch: record.epoch });
    expect(after).not.toHaveProperty("notBefore");
  });

  it("of what is stored rotates never, and those that name nobody's values have no successor", async () => {
    const after = await turned(record, NOW + 20 * PERIOD, PERIOD);
    for (const purpose of WHEN_ASKED) expect(statesOf(after, purpose)).toEqual(statesOf(record, purpose));
    for (const purpose of NEVER) expect(Object.values(statesOf(after, purpose))).toEqual(["active"]);
  });

  it("signs only a day after it was published, however late its predecessor is", async () => {
    const first = { ...record, signing: record.signing.slice(0, 1) };
    const late = NOW + PERIOD + 10 * DAY;
    const published = await turned(first, late, PERIOD);
    expect(published.signing.map(({ state }) => state)).toEqual(["active", "next"]);
    const early = await turned(published, late + SIGNING_KEY_LEAD_MS - 1, PERIOD);
    expect(statesOf(early, "signing")).toEqual(statesOf(published, "signing"));
    const after = await turned(published, late + SIGNING_KEY_LEAD_MS, PERIOD);
    expect(after.signing.map(({ state }) => state)).toEqual(["retired", "active", "next"]);
    expect(SIGNING_KEY_LEAD_MS).toBeGreaterThanOrEqual(DAY);
  });

  it.each([
    ["signing", HOUR + KEY_RING_TTL_MS, SIGNING_KEY_KEPT_MS],
    ["challenge", HOUR, HOUR],
    ["assertion", HOUR, HOUR],
    ["dpop", HOUR, HOUR],
    ["link", 15 * DAY, LINK_KEY_KEPT_MS],
    ["refresh", 30 * DAY, REFRESH_KEY_KEPT_MS],
  ] as const)("for %s stays as long as what it made, and then goes", async (purpose, needed, kept) => {
    const at = NOW + PERIOD;
    const after = await turned(record, at, PERIOD);
    const [oldest] = Object.keys(statesOf(after, purpose));
    expect(kept).toBeGreaterThanOrEqual(needed);
    expect(statesOf(await turned(after, at + kept - 1, PERIOD), purpose)).toHaveProperty([oldest ?? ""], "retired");
    expect(statesOf(await turned(after, at + kept, PERIOD), purpose)).not.toHaveProperty([oldest ?? ""]);
  });

  it("of an earlier version, which does not say since when it is active, counts from when it was made", async () => {
    const older = { ...record, signing: record.signing.map(({ activeAt: _, ...key }) => key) };
    expect(await turned(older, NOW + PERIOD - 1, PERIOD)).toBe(older);
    expect((await turned(older, NOW + PERIOD, PERIOD)).signing[0]?.state).toBe("retired");
  });

  it("is listed with those that were there, in the order in which they were made", async () => {
    let ring = record;
    for (let turn = 1; turn <= 3; turn += 1) {
      const before = kids(ring);
      ring = await turned(ring, NOW + turn * PERIOD, PERIOD);
      const kept = kids(ring).filter((kid) => before.includes(kid));
      expect(kids(ring).slice(0, kept.length)).toEqual(kept);
      expect(kept).toEqual(before.filter((kid) => kept.includes(kid)));
    }
  });

  it("is named when it comes into use", async () => {
    const after = await turned(record, NOW + PERIOD, PERIOD);
    expect(activated(record, after)).toEqual(
      expect.arrayContaining([`signing ${kids(record)[1]}`, "link.2", "dpop.2"]),
    );
    expect(activated(record, after)).toHaveLength(BY_THEMSELVES.length);
    expect(activated(after, after)).toEqual([]);
  });
});

describe("when somebody asks, a key", () => {
  it("comes into use at once if it was published long enough", async () => {
    const at = NOW + SIGNING_KEY_LEAD_MS;
    const after = await askedFor(record, "signing", "op", at);
    expect(after.signing.map(({ state }) => state)).toEqual(["retired", "active", "next"]);
    expect(statesOf(after, "link")).toEqual(statesOf(record, "link"));
  });

  it("otherwise comes into use when it has been", async () => {
    const marked = await askedFor(record, "signing", "op", NOW + HOUR);
    expect(statesOf(marked, "signing")).toEqual(statesOf(record, "signing"));
    const { keys } = listKeys(marked, PERIOD);
    const next = keys.find(({ purpose, state }) => purpose === "signing" && state === "next");
    expect(next).toMatchObject({ changes_at: NOW + SIGNING_KEY_LEAD_MS, asked_for: true });
    expect(await turned(marked, NOW + SIGNING_KEY_LEAD_MS - 1, PERIOD)).toBe(marked);
    const after = await turned(marked, NOW + SIGNING_KEY_LEAD_MS, PERIOD);
    expect(after.signing.map(({ state }) => state)).toEqual(["retired", "active", "next"]);
    // Its successor was not asked for.
    expect(await turned(after, NOW + 3 * SIGNING_KEY_LEAD_MS, PERIOD)).not.toMatchObject({
      signing: [{}, { state: "retired" }, { state: "active" }],
    });
  });

  it.each([...WHEN_ASKED, ...BY_THEMSELVES.slice(1)])("for %s has a lead of its own", async (purpose) => {
    expect(statesOf(await askedFor(record, purpose, "op", NOW + DATA_KEY_LEAD_MS - 1), purpose)).toEqual(
      statesOf(record, purpose),
    );
    expect(statesOf(await askedFor(record, purpose, "op", NOW + DATA_KEY_LEAD_MS), purpose)).toEqual({
      [`${purpose}.1`]: "retired",
      [`${purpose}.2`]: "active",
      [`${purpose}.3`]: "next",
    });
    expect(DATA_KEY_LEAD_MS).toBeGreaterThan(KEY_RING_TTL_MS);
  });

  it.each(WHEN_ASKED)("for %s retires and is kept for ever: stored values name it", async (purpose) => {
    const after = await askedFor(record, purpose, "op", NOW + DAY);
    expect(statesOf(await turned(after, NOW + 50 * PERIOD, PERIOD), purpose)).toEqual(statesOf(after, purpose));
    expect(PURPOSE_RULES[purpose].keptMs).toBeUndefined();
  });

  it.each(["signing", "seal", "dpop"])(
    "for %s turns once, however often the operation is executed",
    async (purpose) => {
      const once = await askedFor(record, purpose, "op", NOW + DAY);
      expect(await askedFor(once, purpose, "op", NOW + DAY + 60_000)).toBe(once);
      expect(await askedFor(once, purpose, "op", NOW + 3 * DAY)).toBe(once);
      const marked = await askedFor(record, purpose, "op", NOW + 1);
      expect(await askedFor(marked, purpose, "op", NOW + 2)).toBe(marked);
      const due = await turned(marked, NOW + DAY, PERIOD);
      expect(await askedFor(due, purpose, "op", NOW + DAY)).toBe(due);
    },
  );

  it("turns once for two who ask within one lead, and for neither again", async () => {
    const marked = await askedFor(await askedFor(record, "signing", "one", NOW + 1), "signing", "two", NOW + 2);
    const due = await turned(marked, NOW + DAY, PERIOD);
    expect(due.signing).toHaveLength(3);
    expect(await askedFor(due, "signing", "one", NOW + DAY + 1)).toBe(due);
    expect(await askedFor(due, "signing", "two", NOW + DAY + 1)).toBe(due);
  });

  it("is refused while so many are not gone yet that ids would run out", async () => {
    let ring = record;
    let at = NOW;
    for (let rotation = 0; ; rotation += 1) {
      at += DATA_KEY_LEAD_MS;
      const outcome = await asked(ring, { purpose: "refresh", by: `op${rotation}` }, at, PERIOD);
      if (typeof outcome === "string") {
        expect(outcome).toBe("too_many_keys");
        expect(rotation).toBeGreaterThan(190);
        break;
      }
      ring = outcome;
    }
    // By themselves they still turn, and once the oldest are gone somebody may ask again.
    const later = await turned(ring, at + REFRESH_KEY_KEPT_MS, PERIOD);
    expect(typeof (await asked(later, { purpose: "refresh", by: "late" }, at + REFRESH_KEY_KEPT_MS, PERIOD))).toBe(
      "object",
    );
  });

  it("is refused where nothing rotates, and where there is nothing of that name", async () => {
    for (const purpose of NEVER) expect(await asked(record, { purpose, by: "op" }, NOW, PERIOD)).toBe("never_rotated");
    for (const purpose of ["", "root", "toString", "link.1"]) {
      expect(await asked(record, { purpose, by: "op" }, NOW, PERIOD)).toBe("unknown_purpose");
    }
  });
});

describe("ids of data keys", () => {
  it("are one byte, never 0, and come back only when nothing has them", async () => {
    let ring = record;
    const used = [];
    for (let turn = 1; turn <= 300; turn += 1) {
      ring = await turned(ring, NOW + turn * PERIOD, PERIOD);
      const ids = ring.data.filter(({ purpose }) => purpose === "dpop").map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      used.push(...ids);
    }
    expect(Math.min(...used)).toBe(1);
    expect(Math.max(...used)).toBe(255);
  });

  it("that nothing has are found between those that are kept, and when all are taken that is a fault", async () => {
    const seals = (ids: number[]) =>
      ids.map((id) => ({
        id,
        purpose: "seal",
        state: id === 255 ? "active" : "retired",
        createdAt: NOW,
        secret: "AAAA",
      }));
    const ringOf = (ids: number[]) => ({ ...record, data: seals(ids) }) as unknown as KeyRingRecord;
    const all = Array.from({ length: 255 }, (_, at) => at + 1);
    const { data } = await turned(ringOf(all.filter((id) => id !== 7)), NOW, PERIOD);
    expect(data.find(({ purpose, state }) => purpose === "seal" && state === "next")?.id).toBe(7);
    await expect(turned(ringOf(all), NOW, PERIOD)).rejects.toThrow("255 keys");
  });
});
