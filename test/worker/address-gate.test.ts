import { evictDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { addressGate, addressOnlyCounted, type Credit, emailGate, type GateRequest } from "../../src/gate/subjects.ts";
import { emailDigest } from "../../src/keys/keyed-digest.ts";
import { ADDRESS_FAILURES, ADDRESS_FAILURES_MAX } from "../../src/policy.ts";
import { ring as keyRing } from "../support/in-worker.ts";
import {
  admitted,
  fail,
  failTimes,
  gateOf,
  newAddress,
  newNetwork,
  refusalOf,
  reserve,
  ring,
  rowsOf,
  settle,
} from "./support/gates.ts";
import { DAY, HOUR, pass, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

/** A try at an address from a client that has never been seen before. */
const from = async (key: string, credit: Credit = {}, profile: "standard" | "nist" = "standard") =>
  emailGate(await keyRing(), key, newNetwork(), credit, profile);
const withProof = (key: string) => from(key, { proofId: crypto.randomUUID() });

/** Failures of an address, each from another client. */
async function failFromEverywhere(count: number, key: string, one: (key: string) => Promise<GateRequest> = from) {
  for (let i = 0; i < count; i += 1) await fail(await one(key));
}

/** An address that asks for a proof. */
async function askedAddress(): Promise<string> {
  const key = newAddress();
  await failFromEverywhere(ADDRESS_FAILURES, key);
  return key;
}

/** An address whose cap is reached. */
async function closedAddress(): Promise<string> {
  const key = await askedAddress();
  await failFromEverywhere(ADDRESS_FAILURES_MAX - ADDRESS_FAILURES, key, withProof);
  return key;
}

describe("an address, from clients of which each has failed once", () => {
  it("asks for a proof after twenty failures, and no other address does", async () => {
    const key = newAddress();
    await failFromEverywhere(ADDRESS_FAILURES - 1, key);
    expect(await refusalOf(await from(key))).toBeUndefined();
    await fail(await from(key));
    expect(await reserve(await from(key))).toEqual({ refused: "address_unproven" });
    expect(await refusalOf(await from(newAddress()))).toBeUndefined();
  });

  it("lets twenty of fifty at once through, and none more when those are wrong", async () => {
    const key = newAddress();
    const gates = await Promise.all(Array.from({ length: 50 }, () => from(key)));
    const answers = await Promise.all(gates.map((gate) => reserve(gate)));
    const through = answers.flatMap((answer, index) => {
      const gate = gates[index];
      return "reservation" in answer && gate ? [{ gate, reservation: answer.reservation }] : [];
    });
    expect(through).toHaveLength(ADDRESS_FAILURES);
    for (const answer of answers) if ("refused" in answer) expect(answer).toEqual({ refused: "address_unproven" });
    await Promise.all(through.map(({ gate, reservation }) => settle(gate, reservation, "wrong")));
    expect(await refusalOf(await from(key))).toBe("address_unproven");
  });

  it("gives back what was open and right, or was never judged", async () => {
    const key = newAddress();
    await failFromEverywhere(ADDRESS_FAILURES - 2, key);
    for (const outcome of ["right", "released"] as const) {
      const [one, other] = [await from(key), await from(key)];
      const open = [await admitted(one), await admitted(other)] as const;
      expect(await refusalOf(await from(key))).toBe("address_unproven");
      await settle(one, open[0], outcome);
      await settle(other, open[1], outcome);
    }
    expect(await refusalOf(await from(key))).toBeUndefined();
  });

  it("still asks after a day, after a week, and after half a year; after a year of quiet it is forgotten", async () => {
    const key = await askedAddress();
    for (const quiet of [DAY, 6 * DAY, 180 * DAY]) {
      pass(quiet);
      await ring(await from(key));
      expect(await refusalOf(await from(key)), `${quiet}`).toBe("address_unproven");
    }
    pass(178 * DAY);
    await ring(await from(key));
    expect(await refusalOf(await from(key))).toBeUndefined();
    expect(await rowsOf(await from(key), "windows", "key LIKE 'address:%'")).toBe(0);
  });

  it("still asks when the object's memory is gone, and what was open then has not failed", async () => {
    const key = newAddress();
    await failFromEverywhere(ADDRESS_FAILURES - 1, key);
    const gate = await from(key);
    const reservation = await admitted(gate);
    await evictDurableObject(gateOf(gate));
    expect(await refusalOf(await from(key))).toBeUndefined();
    // A reservation that was lost is settled all the same.
    await settle(gate, reservation, "wrong");
    await evictDurableObject(gateOf(gate));
    expect(await refusalOf(await from(key))).toBe("address_unproven");
  });

  it("does not stop asking for a right password alone, and does for a session", async () => {
    const key = await askedAddress();
    const gate = await withProof(key);
    await settle(gate, await admitted(gate), "right");
    expect(await refusalOf(await from(key))).toBe("address_unproven");
    await gateOf(gate).sessionOpened(gate.subjects);
    expect(await refusalOf(await from(key))).toBeUndefined();
  });

  it("stops asking after a reset", async () => {
    const key = await askedAddress();
    const gate = await from(key);
    await gateOf(gate).forgive(gate.subjects);
    expect(await refusalOf(await from(key))).toBeUndefined();
  });

  it("counts what a door does that refuses nobody, up to twenty and no further", async () => {
    const key = newAddress();
    await failFromEverywhere(30, key, async (one) => addressOnlyCounted(await from(one)));
    expect(await refusalOf(await from(key))).toBe("address_unproven");
    expect(await refusalOf(addressOnlyCounted(await from(key)))).toBeUndefined();
    // Eighty more with proofs: the twenty of that door are part of the hundred, and the ten beyond are not.
    await failFromEverywhere(79, key, withProof);
    expect(await refusalOf(await withProof(key))).toBeUndefined();
    await fail(await withProof(key));
    expect(await refusalOf(await withProof(key))).toBe("address_closed");
  });
});

describe("with a mailed proof or a bot check", () => {
  it("tries go on where strangers are asked for a proof, and count towards the cap alone", async () => {
    const key = newAddress();
    await failFromEverywhere(30, key, withProof);
    await failFromEverywhere(30, key, (one) => from(one, { passedBotCheck: true }));
    expect(await refusalOf(await from(key))).toBeUndefined();
    await failFromEverywhere(ADDRESS_FAILURES, key);
    expect(await refusalOf(await from(key))).toBe("address_unproven");
    expect(await refusalOf(await withProof(key))).toBeUndefined();
    expect(await refusalOf(await from(key, { passedBotCheck: true }))).toBeUndefined();
  });

  it("an address is worth five attempts a proof, whatever else is open", async () => {
    const key = await askedAddress();
    const gate = await withProof(key);
    await failTimes(5, gate);
    expect(await refusalOf(gate)).toBe("proof_used");
    expect(await refusalOf(await withProof(key))).toBeUndefined();
  });
});

describe("a hundred failures in a row", () => {
  it("close an address to all that nobody recognises, for whatever speaks for them, by no time", async () => {
    const key = await closedAddress();
    const closed = { refused: "address_closed", retryAfterSeconds: 3600 };
    for (const quiet of [0, HOUR, 30 * DAY]) {
      pass(quiet);
      expect(await reserve(await from(key))).toEqual(closed);
      expect(await reserve(await withProof(key))).toEqual(closed);
      expect(await reserve(await from(key, { passedBotCheck: true }))).toEqual(closed);
    }
    expect(await refusalOf(await from(key, { browserId: "b1" }))).toBeUndefined();
    const recovery = addressOnlyCounted(await from(key));
    expect(await refusalOf(recovery)).toBeUndefined();
  });

  it("are not a hundred for those who come at once", async () => {
    const key = await askedAddress();
    const gates = await Promise.all(Array.from({ length: 90 }, () => withProof(key)));
    const answers = await Promise.all(gates.map((gate) => reserve(gate)));
    expect(answers.filter((answer) => "reservation" in answer)).toHaveLength(ADDRESS_FAILURES_MAX - ADDRESS_FAILURES);
  });

  it("outlast a session and the object's memory, and end with a reset or an operator", async () => {
    for (const end of ["forgive", "lift"] as const) {
      const key = await closedAddress();
      const gate = await from(key);
      await gateOf(gate).sessionOpened(gate.subjects);
      await evictDurableObject(gateOf(gate));
      expect(await refusalOf(gate)).toBe("address_closed");
      await gateOf(gate)[end](gate.subjects);
      expect(await refusalOf(gate)).toBeUndefined();
      await failFromEverywhere(ADDRESS_FAILURES, key);
      expect(await refusalOf(gate)).toBe("address_unproven");
    }
  });

  it("are never reached by a session's own way: what is below is cleared by each", async () => {
    const key = newAddress();
    for (let round = 0; round < 2; round += 1) {
      await failFromEverywhere(ADDRESS_FAILURES_MAX - 1, key, withProof);
      const gate = await from(key);
      await gateOf(gate).sessionOpened(gate.subjects);
    }
    await failFromEverywhere(ADDRESS_FAILURES_MAX - 1, key, withProof);
    expect(await refusalOf(await withProof(key))).toBeUndefined();
  });
});

describe("a recognised browser", () => {
  it("in the profile standard knows nothing of the address, nor the address of it", async () => {
    const key = await closedAddress();
    await failTimes(4, await from(key, { browserId: "b1" }));
    expect(await refusalOf(await from(key, { browserId: "b1" }))).toBeUndefined();
    const quiet = newAddress();
    for (let i = 0; i < 30; i += 1) await fail(await from(quiet, { browserId: `b${i}` }));
    expect(await rowsOf(await from(quiet), "windows", `key = '${(await from(quiet)).subjects[1]?.key}'`)).toBe(0);
  });

  it("in the profile nist counts towards the cap and is refused by it, and is asked for no proof", async () => {
    const browser = (key: string, id = "b1") => from(key, { browserId: id }, "nist");
    const asked = await askedAddress();
    expect(await refusalOf(await browser(asked))).toBeUndefined();
    const key = newAddress();
    for (let i = 0; i < ADDRESS_FAILURES_MAX; i += 1) await fail(await browser(key, `b${i}`));
    expect(await refusalOf(await browser(key, "new"))).toBe("address_closed");
    expect(await refusalOf(await from(key, {}, "nist"))).toBe("address_closed");
  });
});

describe("what an alert or an operator does", () => {
  const addressOf = async (key: string) => addressGate(await emailDigest(await keyRing(), key));

  it("an address can be made to ask for a proof until a session or an operator clears it", async () => {
    for (const end of ["sessionOpened", "lift"] as const) {
      const key = newAddress();
      const gate = await addressOf(key);
      await gateOf(gate).impose(gate.subjects, 0);
      pass(7 * DAY);
      expect(await refusalOf(await from(key))).toBe("address_unproven");
      expect(await refusalOf(await withProof(key))).toBeUndefined();
      await gateOf(gate)[end](gate.subjects);
      expect(await refusalOf(await from(key))).toBeUndefined();
    }
  });

  it("an operator opens the pairs of an address as well, and no other address's", async () => {
    const [key, other, client] = [newAddress(), newAddress(), newNetwork()];
    const [pair, ofOther] = [
      await emailGate(await keyRing(), key, client),
      await emailGate(await keyRing(), other, client),
    ];
    await failTimes(5, pair);
    await failTimes(5, ofOther);
    const gate = await addressOf(key);
    await gateOf(gate).lift(gate.subjects);
    expect(await refusalOf(pair)).toBeUndefined();
    expect(await refusalOf(ofOther)).toBe("pair_throttled");
  });
});

it("a success refunds nothing that the same source has spent on others", async () => {
  const client = newNetwork();
  const gate = async (key: string) => emailGate(await keyRing(), key, client);
  const [own, others] = [newAddress(), newAddress()];
  await failTimes(5, await gate(others));
  const mine = await gate(own);
  await settle(mine, await admitted(mine), "right");
  await gateOf(mine).sessionOpened(mine.subjects);
  expect(await refusalOf(await gate(others))).toBe("pair_throttled");
});
