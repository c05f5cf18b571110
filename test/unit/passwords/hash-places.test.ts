import { describe, expect, it, vi } from "vitest";
import {
  HASH_PAUSE_ARRIVALS,
  HASH_PAUSES_MAX,
  HASH_PLACE_LAPSE_MS,
  HASH_PLACES,
  HASH_PLACES_PER_SOURCE,
} from "../../../src/edge-policy.ts";
import { type HashPlace, HashPlaces } from "../../../src/passwords/hash-places.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
let sources = 0;

/** Takes a place for a source of its own. */
function take(places: HashPlaces): HashPlace | undefined {
  sources += 1;
  return places.take(`source ${sources}`, NOW);
}

describe("places for password hashes", () => {
  it("are at most three for one source", () => {
    const places = new HashPlaces();
    const ofOne = Array.from({ length: 8 }, () => places.take("one source", NOW)).filter(Boolean);
    expect(ofOne).toHaveLength(HASH_PLACES_PER_SOURCE);
    expect(take(places)).toBeDefined();
    ofOne[0]?.giveBack();
    expect(places.take("one source", NOW)).toBeDefined();
  });

  it("lapse when the request that took them never came back, and hold up nobody", async () => {
    const places = new HashPlaces();
    takeAll(places);
    expect(places.take("later", NOW + HASH_PLACE_LAPSE_MS - 1)).toBeUndefined();
    const later = places.take("later", NOW + HASH_PLACE_LAPSE_MS);
    expect(await later?.use(async () => "served")).toBe("served");
  });

  it("are no more than all there are for a client of many names", () => {
    const places = new HashPlaces();
    const taken = Array.from({ length: 20 }, (_, index) => places.take(`name ${index}`, NOW));
    expect(taken.filter(Boolean)).toHaveLength(HASH_PLACES);
  });

  it("lapse once: one that comes back after all frees nobody else's", () => {
    const places = new HashPlaces();
    const [slow] = takeAll(places);
    const later = NOW + HASH_PLACE_LAPSE_MS;
    const again = Array.from({ length: HASH_PLACES }, (_, index) => places.take(`later ${index}`, later));
    expect(again.filter(Boolean)).toHaveLength(HASH_PLACES);
    slow?.giveBack();
    expect(places.take("much later", later)).toBeUndefined();
  });

  it("lapse in the middle of the queue, too", async () => {
    const places = new HashPlaces();
    void take(places)?.use(() => new Promise(() => {}));
    const waiting = take(places)?.use(async () => "a waiting one");
    await turn();
    const later = places.take("later", NOW + HASH_PLACE_LAPSE_MS);
    expect(await later?.use(async () => "served")).toBe("served");
    expect(await waiting).toBe("a waiting one");
  });

  it("keep a timer of their own for each that waits: the runtime ends a request that waits for nothing outside of it", async () => {
    const places = new HashPlaces();
    const [timers, cleared] = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "clearTimeout")];
    const kept = () => timers.mock.calls.filter(([, ms]) => ms === HASH_PLACE_LAPSE_MS).length;
    const first = Promise.withResolvers<string>();
    const running = take(places)?.use(() => first.promise);
    expect(kept()).toBe(0);
    const waiting = take(places)?.use(async () => "second");
    expect(kept()).toBe(1);
    expect(cleared).not.toHaveBeenCalled();
    first.resolve("first");
    expect([await running, await waiting]).toEqual(["first", "second"]);
    expect(cleared).toHaveBeenCalledTimes(1);
    vi.restoreAllMocks();
  });

  it("are eight, and the ninth is refused", () => {
    const places = new HashPlaces();
    const taken = takeAll(places);
    expect(HASH_PLACES).toBe(8);
    expect(taken).toHaveLength(8);
    expect(take(places)).toBeUndefined();
  });

  it("are given back exactly once, however often that is said", async () => {
    const places = new HashPlaces();
    const [first] = takeAll(places);
    first?.giveBack();
    first?.giveBack();
    expect(take(places)).toBeDefined();
    expect(take(places)).toBeUndefined();
  });

  it("are given back by their use, and not a second time after it", async () => {
    const places = new HashPlaces();
    const [first] = takeAll(places);
    await first?.use(async () => "done");
    first?.giveBack();
    expect(take(places)).toBeDefined();
    expect(take(places)).toBeUndefined();
  });

  it("stay taken until their work has ended", async () => {
    const places = new HashPlaces();
    const [first] = takeAll(places);
    const held = Promise.withResolvers<void>();
    const use = first?.use(() => held.promise);
    await turn();
    expect(take(places)).toBeUndefined();
    held.resolve();
    await use;
    expect(take(places)).toBeDefined();
  });

  it("are served one at a time, in the order in which the work came", async () => {
    const places = new HashPlaces();
    const order: number[] = [];
    let running = 0;
    let most = 0;
    const work = (index: number) => async () => {
      running += 1;
      most = Math.max(most, running);
      // Each takes several turns, so that another could start if the queue let it.
      await turn();
      await turn();
      order.push(index);
      running -= 1;
    };
    await Promise.all(takeAll(places).map((place, index) => place.use(work(index))));
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(most).toBe(1);
  });

  it("give the event loop a turn before every hash", async () => {
    const places = new HashPlaces();
    const seen: string[] = [];
    const ticks = setInterval(() => seen.push("turn"), 0);
    await Promise.all(takeAll(places).map((place) => place.use(async () => seen.push("hash") && block(5))));
    clearInterval(ticks);
    const hashes = seen.join(" ").match(/hash( hash)+/g);
    expect(hashes, `two hashes without a turn between them: ${seen.join(" ")}`).toBeNull();
    expect(seen.filter((it) => it === "hash")).toHaveLength(8);
  });

  it.each([0, 3])("let a burst of others in before a hash, whether %i wait", async (waiting) => {
    const places = new HashPlaces();
    const seen: string[] = [];
    const hashes = Array.from({ length: 1 + waiting }, () => take(places)?.use(async () => seen.push("hash")));
    await burst(places, 4, () => seen.push("others"));
    await Promise.all(hashes);
    expect(seen.lastIndexOf("others"), seen.join(" ")).toBeLessThan(seen.indexOf("hash"));
  });

  it("let a burst in once, so that those who wait behind the first are not held up by whoever comes again", async () => {
    const places = new HashPlaces();
    const seen: string[] = [];
    const hashes = takeAll(places).map((place) => place.use(async () => seen.push("hash")));
    await burst(places, 20 * HASH_PAUSES_MAX, () => seen.push("others"));
    await Promise.all(hashes);
    const turns = seen.lastIndexOf("hash") - seen.indexOf("hash");
    expect(turns).toBeLessThan(8 * HASH_PAUSES_MAX);
  });

  it("do not wait for the few who come at any time", async () => {
    const places = new HashPlaces();
    const pauses = vi.spyOn(globalThis, "setTimeout");
    const hash = take(places)?.use(async () => "hash");
    for (let others = 1; others < HASH_PAUSE_ARRIVALS; others += 1) places.noteArrival();
    expect(await hash).toBe("hash");
    expect(pauses).toHaveBeenCalledTimes(1);
    pauses.mockRestore();
  });

  it("hash at last amid a flood that does not end", async () => {
    const places = new HashPlaces();
    const seen: string[] = [];
    const hash = take(places)?.use(async () => seen.push("hash"));
    await burst(places, 8 * HASH_PAUSES_MAX, () => seen.push("others"));
    await hash;
    const before = seen.indexOf("hash");
    expect(before).toBeGreaterThanOrEqual(HASH_PAUSES_MAX);
    expect(before).toBeLessThan(8 * HASH_PAUSES_MAX);
  });

  it("do not start work in the turn that asks for it", async () => {
    const [place] = takeAll(new HashPlaces());
    let started = false;
    const use = place?.use(async () => {
      started = true;
    });
    await Promise.resolve();
    expect(started).toBe(false);
    await use;
    expect(started).toBe(true);
  });

  it.each([
    ["rejects", async () => Promise.reject(new Error("no memory"))],
    [
      "throws at once",
      () => {
        throw new Error("no memory");
      },
    ],
  ])("go on to the next when work %s", async (_, failing) => {
    const places = new HashPlaces();
    const [first, second, third] = takeAll(places);
    const uses = [first?.use(failing), second?.use(async () => "second"), third?.use(async () => "third")];
    const [failed, ...others] = await Promise.allSettled(uses);
    expect(failed).toMatchObject({ status: "rejected", reason: new Error("no memory") });
    expect(others).toEqual([
      { status: "fulfilled", value: "second" },
      { status: "fulfilled", value: "third" },
    ]);
    // All three places are free again.
    expect([1, 2, 3].map(() => take(places)).every(Boolean)).toBe(true);
    expect(take(places)).toBeUndefined();
  });

  it("serve work that arrives while other work is under way", async () => {
    const places = new HashPlaces();
    const order: string[] = [];
    const late = Promise.withResolvers<void>();
    const first = take(places)?.use(async () => {
      const use = take(places)?.use(async () => order.push("late"));
      use?.then(() => late.resolve());
      order.push("first");
    });
    await Promise.all([first, late.promise]);
    expect(order).toEqual(["first", "late"]);
    // And once the queue is empty it starts anew.
    await take(places)?.use(async () => order.push("after"));
    expect(order).toEqual(["first", "late", "after"]);
  });
});

function takeAll(places: HashPlaces): HashPlace[] {
  return Array.from({ length: HASH_PLACES }, () => take(places)).filter((place) => place !== undefined);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Others who come as often as the event loop turns, each time as many as a burst. */
async function burst(places: HashPlaces, turns: number, come: () => void): Promise<void> {
  for (let turned = 0; turned < turns; turned += 1) {
    come();
    for (let others = 0; others < HASH_PAUSE_ARRIVALS; others += 1) places.noteArrival();
    await turn();
  }
}

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
