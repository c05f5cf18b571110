import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import { REVOKED_SESSION_LISTED_MS } from "../../../src/token-policy.ts";
import { NOW, session } from "../support/account-samples.ts";
import { storeWith } from "../support/memory-store.ts";

/** Sessions that idle out a minute after `NOW`, in an account whose clock is `time.now`. */
function accountWith(...ids: string[]) {
  const time = { now: NOW };
  const reminded = { times: 0 };
  const owner = {
    now: () => time.now,
    owes: () => {
      reminded.times += 1;
    },
    recorded: () => {},
    account: "",
  };
  const sessions = ids.map((id) => session({ id, idleExpiresAt: NOW + 60_000 }));
  const store = storeWith({ sessions }, owner);
  // The first look, as of an object that has just woken up.
  store.owed();
  reminded.times = 0;
  return { store, time, reminded };
}

const end = (store: AccountStore, id: string) => store.deleteSession(id, store.guard());
const idsOf = (store: AccountStore) => store.sessions().map(({ id }) => id);

describe("a session that ends", () => {
  it("is none any more, and is owed to the directory until its last token is gone", () => {
    const { store, reminded } = accountWith("s1", "s2");
    end(store, "s1");
    expect(store.session("s1")).toBeUndefined();
    expect(idsOf(store)).toEqual(["s2"]);
    expect(store.owed()).toEqual([{ sid: "s1", until: NOW + REVOKED_SESSION_LISTED_MS }]);
    expect(reminded.times).toBe(1);
  });

  it("ends once: a second time is too late to be listed for longer", () => {
    const { store, time } = accountWith("s1");
    end(store, "s1");
    time.now += 1_000;
    end(store, "s1");
    expect(store.owed()).toEqual([{ sid: "s1", until: NOW + REVOKED_SESSION_LISTED_MS }]);
  });

  it("after it has run out is listed as from then: no token was made since", () => {
    const { store, time } = accountWith("s1");
    time.now = NOW + 60_000 + 30_000;
    end(store, "s1");
    expect(store.owed()).toEqual([{ sid: "s1", until: NOW + 60_000 + REVOKED_SESSION_LISTED_MS }]);
  });

  it.each([
    { ms: -1, owed: 1 },
    { ms: 0, owed: 0 },
  ])("$ms ms from the end of its last token leaves $owed marks", ({ ms, owed }) => {
    const { store, time, reminded } = accountWith("s1");
    time.now = NOW + 60_000 + REVOKED_SESSION_LISTED_MS + ms;
    end(store, "s1");
    expect([idsOf(store), store.owed().length, reminded.times]).toEqual([[], owed, owed]);
  });

  it("is not listed when it is of before an emergency drop", () => {
    const { store } = accountWith("s1");
    store.deleteSession("s1", { ...store.guard(), epoch: 2 });
    expect([idsOf(store), store.owed()]).toEqual([[], []]);
  });
});

describe("what is owed", () => {
  it("goes when it has been told, and nothing else does", () => {
    const { store } = accountWith("s1", "s2", "s3");
    end(store, "s1");
    const told = store.owed();
    end(store, "s2");
    store.forgetOwed([...told, { sid: "s3", until: NOW }]);
    expect(store.owed().map(({ sid }) => sid)).toEqual(["s2"]);
    expect(idsOf(store)).toEqual(["s3"]);
  });

  it("reminds at every call until it has been told, and never after", () => {
    const { store, reminded } = accountWith("s1");
    end(store, "s1");
    reminded.times = 0;
    store.guard();
    store.guard();
    expect(reminded.times).toBe(2);
    store.forgetOwed(store.owed());
    store.owed();
    reminded.times = 0;
    store.guard();
    expect(reminded.times).toBe(0);
  });

  it("outlives the account", () => {
    const { store } = accountWith("s1");
    store.clear();
    expect([idsOf(store), store.factors(), store.guard().passwordVersion]).toEqual([[], [], 0]);
    expect(store.owed().map(({ sid }) => sid)).toEqual(["s1"]);
  });
});

it("an object that wakes up is reminded by its first call", () => {
  const reminded = { times: 0 };
  const store = storeWith({}, { account: "", now: () => NOW, owes: () => (reminded.times += 1), recorded: () => {} });
  expect(reminded.times).toBeGreaterThan(0);
  store.owed();
  reminded.times = 0;
  store.guard();
  expect(reminded.times).toBe(0);
});
