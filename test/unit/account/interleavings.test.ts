import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import { abandonChange, admitVerdict, commitChange } from "../../../src/account/changes.ts";
import { prepareDeletion, prepareDeletionCancel } from "../../../src/account/deletion.ts";
import { prepareEmailChange, prepareEmailUndo, prepareFreeze } from "../../../src/account/email-changes.ts";
import { openFirstDoor } from "../../../src/account/first-door.ts";
import { isRefusal } from "../../../src/refusal.ts";
import { claim, NOW, session, TERMS } from "../support/account-samples.ts";
import { DAY, FRESH, verdict } from "../support/changing.ts";
import { storeWith } from "../support/memory-store.ts";

const KINDS = ["email", "undo", "freeze", "deletion", "keep"] as const;
type Kind = (typeof KINDS)[number];

/** The directory, as far as it matters: its version, and what the changes that it took have made of the account. */
interface Directory {
  version: number;
  undo?: string | undefined;
  isClosed: boolean;
}

/** What the directory holds after it has taken a change; nothing where its own guards refuse. */
function taken({ version, undo, isClosed }: Directory, kind: Kind): Directory | undefined {
  const next = { version: version + 1, undo, isClosed };
  if (kind === "email") return { ...next, undo: "link" };
  if (kind === "undo") return { ...next, undo: undefined, isClosed: false };
  if (kind === "freeze") return { ...next, isClosed: false };
  return isClosed === (kind === "keep") ? { ...next, isClosed: !isClosed } : undefined;
}

const PREPARE = {
  email: (store: AccountStore, version: number, read: number, now: number) =>
    prepareEmailChange(store, verdict(version, read), "link", now),
  undo: (store: AccountStore, version: number, read: number, now: number) =>
    prepareEmailUndo(store, verdict(version, read), "link", now),
  freeze: (store: AccountStore, version: number, read: number, now: number) =>
    prepareFreeze(store, verdict(version, read), NOW - 1000, now),
  deletion: (store: AccountStore, version: number, read: number, now: number) => {
    const asked = { id: crypto.randomUUID(), deletesAt: NOW + 3 * DAY };
    return prepareDeletion(store, FRESH, verdict(version, read), asked, now);
  },
  keep: (store: AccountStore, version: number, read: number, now: number) =>
    prepareDeletionCancel(store, verdict(version, read), store.guard().life.deletion?.id ?? "", now),
};

/** An account, its directory and a clock, on which requests take one step at a time. */
class World {
  now = NOW;
  directory: Directory = { version: 1, isClosed: false };
  store = storeWith({ sessions: [session()], guard: { life: { emailChange: { id: "link", expiresAt: NOW + DAY } } } });

  /** A request as the flows make it; between any two of its steps others go on, and it may never come back. */
  *change(kind: Kind): Generator {
    const read = this.now;
    const { version } = this.directory;
    yield;
    const prepared = PREPARE[kind](this.store, version, read, this.now);
    if (isRefusal(prepared)) return;
    yield;
    if (this.now >= read + 20_000) return;
    const sentAt = this.now;
    yield;
    // A write that takes longer than that is not on its way any more.
    if (this.now >= sentAt + 40_000) return;
    const next = this.directory.version === version ? taken(this.directory, kind) : undefined;
    if (next) this.directory = next;
    yield;
    if (next) commitChange(this.store, this.store.guard(), prepared.key);
    else if (this.directory.version === version) abandonChange(this.store, this.store.guard(), prepared.key);
  }

  /** A sign-in: what it has read of the directory may be old when the account hears of it. */
  *signIn(): Generator {
    const said = verdict(this.directory.version, this.now);
    yield;
    openFirstDoor(this.store, said, TERMS, { ...claim(), isProven: false }, this.now);
  }
}

/** Two requests for one change, one for another, and somebody who signs in. */
const requests = fc
  .tuple(fc.constantFrom(...KINDS), fc.constantFrom(...KINDS))
  .map(([kind, other]) => [kind, kind, "sign-in", other] as const);
const schedule = fc.array(
  fc.record({ who: fc.nat({ max: 3 }), waits: fc.constantFrom(0, 0, 0, 0, 0, 15_000, 61_000) }),
  { minLength: 8, maxLength: 18 },
);

/** Runs requests in this order; those whose steps are not all in it have died on the way. */
function run(kinds: readonly (Kind | "sign-in")[], steps: { who: number; waits: number }[]): World {
  const world = new World();
  const running = kinds.map((kind) => (kind === "sign-in" ? world.signIn() : world.change(kind)));
  for (const { who, waits } of steps) {
    running[who]?.next();
    world.now += waits;
  }
  return world;
}

// Tens of thousands of events, each of which is a line.
beforeAll(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
afterAll(() => void vi.restoreAllMocks());

describe("changes in two stores, in whatever order their steps come and wherever they die", () => {
  it("leave the account as the directory has it, once it has heard from there again", () => {
    fc.assert(
      fc.property(requests, schedule, (kinds, steps) => {
        const world = run(kinds, steps);
        const { store, directory } = world;
        world.now += 120_000;
        const refusal = admitVerdict(store, store.guard(), verdict(directory.version, world.now), world.now);
        expect(refusal).toBeUndefined();
        const { life, passwordVersion } = store.guard();
        expect(life.prepared).toBeUndefined();
        expect(passwordVersion).toBe(directory.version);
        expect({ undo: life.undo?.id, isClosed: life.deletion !== undefined }).toEqual({
          undo: directory.undo,
          isClosed: directory.isClosed,
        });
      }),
      { numRuns: 1_000 },
    );
  });

  it("let nobody stay in who came in under an older version", () => {
    fc.assert(
      fc.property(requests, schedule, (kinds, steps) => {
        const { store, directory } = run(kinds, steps);
        const { life, passwordVersion } = store.guard();
        if (life.prepared) expect(store.sessions()).toEqual([]);
        if (passwordVersion !== directory.version) return;
        for (const one of store.sessions()) expect(one.passwordVersion).toBe(directory.version);
      }),
      { numRuns: 500 },
    );
  });
});
