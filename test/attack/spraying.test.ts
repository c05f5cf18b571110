import { describe, expect, it } from "vitest";
import { credentialStuffing } from "../../src/events/detectors/credential-stuffing.ts";
import { passwordSpraying } from "../../src/events/detectors/password-spraying.ts";
import { SPRAYED_ADDRESSES, SPRAYED_TRIES_EACH, STUFFED_PAIRS } from "../../src/events/detectors/thresholds.ts";
import type { StoredEvent } from "../../src/events/event-store.ts";
import * as s from "./support.ts";

const { MINUTE, NOON, SECOND } = s;
const at = (n: number) => NOON - 9 * MINUTE + n * SECOND;

/** What both detectors of source groups say. */
const patterns = (events: StoredEvent[]) =>
  [passwordSpraying, credentialStuffing].flatMap((detector) =>
    s.seen(detector, events, NOON).map(({ pattern }) => pattern),
  );

/** Addresses that are nobody's, as a gate tells of them: the first of a minute by itself, the others when it closes. */
const strangers = (count: number, tries = count) => [
  s.unknownEmail(at(0), 0),
  s.unknownEmail(at(60), 0, { address: "", count: tries - 1, addresses: count - 1 }),
];

describe("addresses that are nobody's", () => {
  it("are sprayed like others, from the threshold on", () => {
    expect(patterns(strangers(SPRAYED_ADDRESSES))).toEqual(["password_spraying"]);
    expect(patterns(strangers(SPRAYED_ADDRESSES - 1))).toEqual([]);
  });

  it("are sprayed too when a throttle refuses most of them", () => {
    const throttled = [
      s.throttled(at(61), "source_throttled", { address: s.address(9) }),
      s.throttled(at(121), "source_throttled", { count: 8, addresses: 8 }),
    ];
    expect(patterns([...strangers(6), ...throttled])).toEqual(["password_spraying"]);
    expect(patterns([...strangers(5), ...throttled])).toEqual([]);
  });

  it("are a leaked list from thirty pairs on, and then nothing else", () => {
    expect(patterns(strangers(STUFFED_PAIRS - 1))).toEqual(["password_spraying"]);
    expect(patterns(strangers(STUFFED_PAIRS))).toEqual(["credential_stuffing"]);
  });

  it("are not sprayed by somebody who tries each again and again", () => {
    expect(patterns(strangers(20, 1 + 19 * SPRAYED_TRIES_EACH))).toEqual(["password_spraying"]);
    expect(patterns(strangers(20, 2 + 19 * SPRAYED_TRIES_EACH))).toEqual([]);
  });

  it("are few when one program asks for the same ones every minute", () => {
    const gone = 5;
    const minutes = s.times(10, (i) => s.unknownEmail(at(i * 54), i % gone));
    const tallies = s.times(10, (i) =>
      s.unknownEmail(at(i * 54 + 53), 0, { address: "", count: gone - 1, addresses: gone - 1 }),
    );
    expect(patterns([...minutes, ...tallies])).toEqual([]);
    const different = s.times(10, (i) => s.unknownEmail(at(i * 54), i));
    expect(patterns([...different, ...tallies])).toEqual(["credential_stuffing"]);
  });
});
