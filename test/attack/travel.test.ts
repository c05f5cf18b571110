import { describe, expect, it } from "vitest";
import { impossibleTravel } from "../../src/events/detectors/impossible-travel.ts";
import {
  KEPT,
  TRAVEL_KM_MIN,
  TRAVEL_KM_PER_HOUR,
  TRAVEL_SIGN_INS,
  TRAVEL_SIGN_INS_STRANGE,
  TRAVEL_SIGN_INS_STRANGE_NETWORK,
} from "../../src/events/detectors/thresholds.ts";
import type { StoredEvent } from "../../src/events/event-store.ts";
import * as s from "./support.ts";

const { HOUR, MINUTE, NOON } = s;
const HOME = { lat: 51, lon: 10 };
/** Twelve degrees north of home. */
const AWAY = { lat: 63, lon: 10 };
const KM = 12 * 111.19;
const LAST = NOON - 6 * HOUR;
const TUNNEL = "198.51.100.0/24";
const GROUP_OF_SAME_NETWORK = "192.0.2.0/24";

const finds = (events: StoredEvent[]) => s.seen(impossibleTravel, events, NOON).length > 0;
/** So many sign-ins at home, with as many programs in turn. */
const habits = (count: number, programs: number) =>
  s.times(count, (i) =>
    s.signedIn(LAST - (count - 1 - i) * HOUR, 1, { place: HOME, agent: `program ${i % programs}` }),
  );
const away = (afterHours: number, more: object = {}) =>
  s.signedIn(LAST + afterHours * HOUR, 1, { place: AWAY, agent: "another", source: TUNNEL, ...more });
/** Somebody else who signs in from the group first. */
const others = s.signedIn(LAST - 40 * HOUR, 2, { source: TUNNEL, place: AWAY });

describe("impossible travel", () => {
  it("is faster than a thousand kilometres an hour, beyond what places are wrong by", () => {
    const hours = (KM - TRAVEL_KM_MIN) / TRAVEL_KM_PER_HOUR;
    expect(finds([...habits(10, 1), away(hours - 0.05)])).toBe(true);
    expect(finds([...habits(10, 1), away(hours + 0.05)])).toBe(false);
  });

  it("needs a program and a place that are new to the account, and a place at all", () => {
    expect(finds([...habits(10, 1), away(0.1, { agent: "program 0" })])).toBe(false);
    const been = s.signedIn(LAST - 30 * HOUR, 1, { place: AWAY, agent: "program 0" });
    expect(finds([been, ...habits(10, 1), away(0.1)])).toBe(false);
    expect(finds([...habits(10, 1), away(0.1, { place: undefined })])).toBe(false);
    expect(finds([...habits(10, 1), away(0.1, { place: { lat: HOME.lat + 4, lon: HOME.lon } })])).toBe(false);
  });

  it.each([
    ["withOne", 1],
    ["withTwoPrograms", 2],
  ] as const)("needs an account whose programs are known (%s)", (rule, programs) => {
    const [enough, strange] = [TRAVEL_SIGN_INS[rule], TRAVEL_SIGN_INS_STRANGE[rule]];
    expect(finds([others, ...habits(enough, programs), away(0.1)])).toBe(true);
    expect(finds([others, ...habits(enough - 1, programs), away(0.1)])).toBe(false);
    expect(finds([...habits(strange, programs), away(0.1)])).toBe(true);
    expect(finds([...habits(strange - 1, programs), away(0.1)])).toBe(false);
  });

  it("needs fewer sign-ins still from a network that nobody has signed in from, where its number is known", () => {
    const { withOne } = TRAVEL_SIGN_INS_STRANGE_NETWORK;
    const elsewhere = { ...others, source: GROUP_OF_SAME_NETWORK, asn: 64_500 };
    expect(finds([...habits(withOne, 1), away(0.1, { asn: 64_500 })])).toBe(true);
    expect(finds([...habits(withOne - 1, 1), away(0.1, { asn: 64_500 })])).toBe(false);
    expect(finds([elsewhere, ...habits(withOne, 1), away(0.1, { asn: 64_500 })])).toBe(false);
  });

  it("remembers the groups that were used last, and no more than fit", () => {
    const crowd = s.times(4 * KEPT.groupsOfSignIns, (i) =>
      s.signedIn(LAST - 39 * HOUR + i, 100 + (i % 50), { source: `2001:db8:${i.toString(16)}::/48` }),
    );
    const known = (events: StoredEvent[]) => impossibleTravel.step(impossibleTravel.empty, events, NOON).state;
    expect(known([others, ...crowd]).groups.join("").length).toBeLessThanOrEqual(4 * KEPT.groupsOfSignIns);
    const { withTwoPrograms: few } = TRAVEL_SIGN_INS_STRANGE;
    expect(finds([others, ...crowd, ...habits(few, 2), away(0.1)])).toBe(true);
    const again = s.signedIn(LAST - 20 * HOUR, 3, { source: TUNNEL, place: AWAY });
    expect(finds([others, ...crowd, again, ...habits(few, 2), away(0.1)])).toBe(false);
  });

  it("remembers as many accounts as it says, and then those that have signed in last", () => {
    const crowd = s.times(2 * KEPT.familiarAccounts, (i) => s.signedIn(LAST - 39 * HOUR + i, 100 + i, { place: HOME }));
    const known = (events: StoredEvent[]) =>
      impossibleTravel.step(impossibleTravel.empty, events, NOON).state.travellers.flat();
    const all = known(crowd.slice(0, KEPT.familiarAccounts));
    expect(all).toHaveLength(KEPT.familiarAccounts);
    const late = known(crowd);
    expect(late).toHaveLength(KEPT.familiarAccounts);
    // Parts are never equally full, so a few that have signed in earlier stay for as many that have later.
    expect(late.filter((account) => all.includes(account)).length).toBeLessThan(KEPT.familiarAccounts / 10);
  });

  it("is told of for an hour", () => {
    const { state } = impossibleTravel.step(impossibleTravel.empty, [...habits(10, 1), away(0.1)], NOON);
    expect(impossibleTravel.step(state, [], NOON + 59 * MINUTE).findings).toHaveLength(1);
    expect(impossibleTravel.step(state, [], NOON + 61 * MINUTE).findings).toEqual([]);
  });
});
