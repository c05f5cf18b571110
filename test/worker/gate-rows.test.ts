import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { emailGate, type GateRequest } from "../../src/gate/subjects.ts";
import { ADDRESS_FAILURES, GATE_ROWS } from "../../src/policy.ts";
import { ring as keyRing } from "../support/in-worker.ts";
import { rowsWritten } from "../support/rows-written.ts";
import {
  admitted,
  fail,
  failTimes,
  gateOf,
  newAddress,
  newNetwork,
  refusalOf,
  ring,
  ringsAt,
  rowsOf,
  settle,
} from "./support/gates.ts";
import { DAY, HOUR, MINUTE, pass, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

describe("rows of a gate", () => {
  const junk = (shard: string): GateRequest => ({ shard, subjects: [{ kind: "source", key: crypto.randomUUID() }] });

  it("are dropped by an alarm when they can hold nobody back, and not by those who come", async () => {
    const shard = crypto.randomUUID();
    await fail(junk(shard));
    expect(await ringsAt(junk(shard))).toBe(Date.now() + 10 * MINUTE);
    pass(10 * MINUTE);
    expect(await rowsWritten(() => fail(junk(shard)))).toBe(1);
    expect(await rowsOf(junk(shard))).toBe(2);
    await ring(junk(shard));
    expect(await rowsOf(junk(shard))).toBe(1);
    pass(10 * MINUTE);
    await ring(junk(shard));
    expect(await rowsOf(junk(shard))).toBe(0);
    // Nothing is left, so nobody is woken any more.
    expect(await ringsAt(junk(shard))).toBeNull();
  });

  it("have no alarm in a shard that has only seen good sign-ins", async () => {
    const gate = await emailGate(await keyRing(), newAddress(), newNetwork());
    await settle(gate, await admitted(gate), "right");
    expect(await ringsAt(gate)).toBeNull();
  });

  it("are swept when the first of them is due, and looked at every day when that is far away", async () => {
    const gate: GateRequest = { shard: crypto.randomUUID(), subjects: [{ kind: "address", key: "address:a" }] };
    await fail(gate);
    expect(await ringsAt(gate)).toBe(Date.now() + DAY);
    await ring(gate);
    expect(await ringsAt(gate)).toBe(Date.now() + DAY);
  });

  it("do not put their sweep off when the object has lost its memory in between", async () => {
    const shard = crypto.randomUUID();
    await fail(junk(shard));
    const due = await ringsAt(junk(shard));
    for (let i = 0; i < 3; i += 1) {
      pass(4 * MINUTE);
      await evictDurableObject(gateOf(junk(shard)));
      await fail(junk(shard));
      expect(await ringsAt(junk(shard))).toBe(due);
    }
  });

  it("are at most so many: those that would be forgotten soonest make room, and nobody who is held back is let go", async () => {
    const shard = crypto.randomUUID();
    const address: GateRequest = { shard, subjects: [{ kind: "address", key: "address:held" }] };
    const proof: GateRequest = { shard, subjects: [{ kind: "proof", key: "proof:spent" }] };
    const closed: GateRequest = { shard, subjects: [{ kind: "network", key: "network:closed" }] };
    await failTimes(ADDRESS_FAILURES, address);
    await failTimes(5, proof);
    await gateOf(closed).impose(closed.subjects, Date.now() + HOUR);
    await runInDurableObject(gateOf(address), (_, { storage }) => {
      const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) ";
      const insert = `INSERT INTO windows SELECT ?2 || i, '{"failures":[],"inARow":1}', ?3 + i FROM n`;
      storage.sql.exec(many + insert, GATE_ROWS, "source:", Date.now() + 2 * HOUR);
      storage.sql.exec(many + insert, 10, "address:", Date.now() + MINUTE);
    });
    await ring(address);
    expect(await rowsOf(address)).toBe(GATE_ROWS);
    // Thirteen too many: the oldest sources go, and of the addresses none, although they are due sooner.
    expect(await rowsOf(address, "windows", "key LIKE 'source:%'")).toBe(GATE_ROWS - 13);
    expect(await rowsOf(address, "windows", "key = 'source:13'")).toBe(0);
    expect(await rowsOf(address, "windows", "key = 'source:14'")).toBe(1);
    expect(await refusalOf(address)).toBe("address_unproven");
    expect(await refusalOf(proof)).toBe("proof_used");
    expect(await refusalOf(closed)).toBe("network_throttled");
  });
});
