import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { clientNetwork } from "../../src/gate/network.ts";
import { assertionGate, emailGate, type GateRequest, proofMailGate, sourceGate } from "../../src/gate/subjects.ts";
import { ring } from "../support/in-worker.ts";
import { rowsWritten } from "../support/rows-written.ts";
import {
  admitted,
  fail,
  failTimes,
  newAddress,
  newNetwork,
  reserve,
  ring as ringAlarm,
  settle,
} from "./support/gates.ts";

const MINUTE = 60_000;

const network = newNetwork;
const newProof = async (emailKey = newAddress()) =>
  emailGate(await ring(), emailKey, network(), { proofId: crypto.randomUUID() });

afterEach(() => vi.useRealTimers());

describe("a mailed proof", () => {
  it("is let through five times, and is then used up, however the tries ended", async () => {
    for (const outcome of ["wrong", "released", undefined] as const) {
      const gate = await newProof();
      for (let i = 0; i < 5; i += 1) {
        const reservation = await admitted(gate);
        if (outcome) await settle(gate, reservation, outcome);
      }
      expect(await reserve(gate), outcome).toEqual({ refused: "proof_used" });
    }
  });

  it("is let through five times of twenty at once", async () => {
    const gate = await newProof();
    const answers = await Promise.all(Array.from({ length: 20 }, () => reserve(gate)));
    expect(answers.filter((answer) => !("refused" in answer))).toHaveLength(5);
  });

  it("keeps its count when the object's memory is gone, tries that are still open included", async () => {
    const gate = await newProof();
    for (let i = 0; i < 5; i += 1) {
      await admitted(gate);
      await evictDurableObject(env.GATES.getByName(gate.shard));
    }
    expect(await reserve(gate)).toEqual({ refused: "proof_used" });
  });

  it("is used up by the first right password, and by that one alone", async () => {
    const gate = await newProof();
    const [first, second] = [await admitted(gate), await admitted(gate)];
    expect(await settle(gate, first, "right")).toBeUndefined();
    expect(await settle(gate, second, "right")).toEqual({ refused: "proof_used" });
    expect(await reserve(gate)).toEqual({ refused: "proof_used" });
  });

  it("still opens with the fifth attempt", async () => {
    const gate = await newProof();
    await failTimes(4, gate);
    expect(await settle(gate, await admitted(gate), "right")).toBeUndefined();
  });

  it("never comes back while its link could live", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const [used, tried] = [await newProof(), await newProof()];
    await settle(used, await admitted(used), "right");
    await failTimes(5, tried);
    vi.setSystemTime(Date.now() + 15 * MINUTE);
    for (const gate of [used, tried]) expect(await ringAlarm(gate)).toBe(true);
    for (const gate of [used, tried]) expect(await reserve(gate)).toEqual({ refused: "proof_used" });
  });

  it("goes past the wait of its pair, whose failures it adds to and clears", async () => {
    const key = newAddress();
    const client = network();
    const pair = await emailGate(await ring(), key, client);
    const withProof = await emailGate(await ring(), key, client, { proofId: crypto.randomUUID() });
    await failTimes(3, pair);
    await failTimes(2, withProof);
    expect(await reserve(pair)).toMatchObject({ refused: "pair_throttled" });
    expect(await settle(withProof, await admitted(withProof), "right")).toBeUndefined();
    await admitted(pair);
  });

  it("is open for its pair while it is looked at", async () => {
    const key = newAddress();
    const client = network();
    const pair = await emailGate(await ring(), key, client);
    const withProof = await emailGate(await ring(), key, client, { proofId: crypto.randomUUID() });
    for (let i = 0; i < 5; i += 1) await admitted(withProof);
    expect(await reserve(pair)).toMatchObject({ refused: "pair_throttled" });
  });
});

describe("a recognised browser", () => {
  it("is not held back by others of its address, nor they by it", async () => {
    const key = newAddress();
    const client = network();
    const stranger = await emailGate(await ring(), key, client);
    const browser = await emailGate(await ring(), key, client, { browserId: "b1" });
    await failTimes(5, stranger);
    expect(await reserve(stranger)).toMatchObject({ refused: "pair_throttled" });
    await failTimes(5, browser);
    expect(await reserve(browser)).toMatchObject({ refused: "pair_throttled" });
    await admitted(await emailGate(await ring(), key, client, { browserId: "b2" }));
  });
});

describe("sign-ins by passkey alone", () => {
  it("go on when passwords have used up what the client and its surroundings have", async () => {
    const client = network();
    const passwords = await sourceGate(await ring(), client);
    await failTimes(20, passwords);
    expect(await reserve(passwords)).toMatchObject({ refused: "source_throttled" });
    await admitted(await assertionGate(await ring(), client));
  });

  it("are closed by twenty failures of their own, which are failures of the client, too", async () => {
    const client = network();
    const assertions = await assertionGate(await ring(), client);
    await failTimes(20, assertions);
    expect(await reserve(assertions)).toMatchObject({ refused: "source_throttled" });
    expect(await reserve(await sourceGate(await ring(), client))).toMatchObject({ refused: "source_throttled" });
  });

  it("are closed for a /24 by a hundred failures of it", async () => {
    const clients = Array.from({ length: 6 }, (_, host) => clientNetwork(`192.0.2.${host + 1}`));
    const gates = await Promise.all(clients.map(async (client) => assertionGate(await ring(), client)));
    for (const gate of gates.slice(0, 5)) await failTimes(20, gate);
    expect(await reserve(gates[5] as GateRequest)).toMatchObject({ refused: "network_throttled" });
  });

  it("count a malformed body in one call, as long as they are open themselves", async () => {
    const client = network();
    const { shard, subjects } = await assertionGate(await ring(), client);
    await failTimes(20, await sourceGate(await ring(), client));
    for (let i = 0; i < 20; i += 1) expect(await env.GATES.getByName(shard).spend(subjects)).toBe(true);
    expect(await env.GATES.getByName(shard).spend(subjects)).toBe(false);
  });
});

describe("mailed proofs of an address", () => {
  it("are three in ten minutes, whatever other mails it had", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { shard, subjects } = await proofMailGate(await ring(), newAddress());
    const gate = env.GATES.getByName(shard);
    for (let i = 0; i < 3; i += 1) expect(await gate.spend(subjects)).toBe(true);
    vi.setSystemTime(Date.now() + 10 * MINUTE - 1);
    expect(await gate.spend(subjects)).toBe(false);
    vi.setSystemTime(Date.now() + 1);
    expect(await gate.spend(subjects)).toBe(true);
  });
});

describe("what a gate writes", () => {
  const writes = async (gate: GateRequest, outcome: "right" | "wrong") => {
    await fail({ shard: gate.shard, subjects: [{ kind: "pair", key: crypto.randomUUID() }] });
    return rowsWritten(async () => settle(gate, await admitted(gate), outcome));
  };

  it("is nothing for a good sign-in, by password or by passkey, even when there is something to sweep", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    for (const gate of [
      await emailGate(await ring(), newAddress(), network()),
      await emailGate(await ring(), newAddress(), network(), { browserId: "b1" }),
      await assertionGate(await ring(), network()),
    ]) {
      expect(await writes(gate, "right")).toBe(0);
      vi.setSystemTime(Date.now() + 48 * 60 * MINUTE);
      expect(await rowsWritten(async () => settle(gate, await admitted(gate), "right"))).toBe(0);
    }
  });

  it("is a row for each subject of a failure", async () => {
    expect(await writes(await emailGate(await ring(), newAddress(), network()), "wrong")).toBe(2);
    const recognised = { browserId: "b1" };
    expect(await writes(await emailGate(await ring(), newAddress(), network(), recognised), "wrong")).toBe(1);
    expect(await writes(await assertionGate(await ring(), network()), "wrong")).toBe(4);
  });

  it("is a row for a proof's attempt, and one for what became of it, or two that have failed", async () => {
    expect(await writes(await newProof(), "wrong")).toBe(3);
    expect(await writes(await newProof(), "right")).toBe(2);
  });
});
