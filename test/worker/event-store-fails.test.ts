import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { Circumstances } from "../../src/events/security-event.ts";
import { sourceGate } from "../../src/gate/subjects.ts";
import { ring as keyRing } from "../support/in-worker.ts";
import { eventsFrom, gateOf, newNetwork, ring, ringsAt } from "./support/gates.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

const circumstances = ({ network }: { network: string }): Circumstances => ({ source: network, request: "r1" });

/** Takes the table away for as long as `work` lasts: nothing arrives meanwhile. */
async function away(work: () => Promise<void>): Promise<void> {
  await env.EVENTS.prepare("ALTER TABLE events RENAME TO events_away").run();
  try {
    await work();
  } finally {
    await env.EVENTS.prepare("ALTER TABLE events_away RENAME TO events").run();
  }
}

describe("a store of events that fails", () => {
  it("is asked again after a second and then less and less often, and nothing is lost", async () => {
    const client = newNetwork();
    const gate = await sourceGate(await keyRing(), client);
    await gateOf(gate).report({ kind: "authz_fail", reason: "challenge_forged" }, circumstances(client));
    await away(async () => {
      for (const wait of [SECOND, 2 * SECOND, 4 * SECOND]) {
        await ring(gate);
        expect(await ringsAt(gate)).toBe(Date.now() + wait);
      }
    });
    await ring(gate);
    expect(await eventsFrom(client.network)).toHaveLength(1);
  });

  it("is asked as rarely as before by a gate that has lost its memory in a long pause", async () => {
    const gate = await sourceGate(await keyRing(), newNetwork());
    const report = () =>
      gateOf(gate).report({ kind: "authz_fail", reason: "challenge_forged" }, circumstances(newNetwork()));
    await report();
    await away(async () => {
      for (const wait of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
        await ring(gate);
        expect(await ringsAt(gate)).toBe(Date.now() + wait * SECOND);
        if (wait > 10) await evictDurableObject(gateOf(gate));
      }
    });
    await ring(gate);
    await evictDurableObject(gateOf(gate));
    await report();
    await away(async () => {
      await ring(gate);
      expect(await ringsAt(gate)).toBe(Date.now() + SECOND);
    });
  });

  it("is left alone from when it has failed, however long that took", async () => {
    const gate = await sourceGate(await keyRing(), newNetwork());
    await gateOf(gate).report({ kind: "authz_fail", reason: "challenge_forged" }, circumstances(newNetwork()));
    const statement = Object.getPrototypeOf(env.EVENTS.prepare("SELECT 1")) as D1PreparedStatement;
    const run = vi.spyOn(statement, "run").mockImplementation(async () => {
      pass(10 * SECOND);
      throw new Error("late");
    });
    try {
      await ring(gate);
      expect(await ringsAt(gate)).toBe(Date.now() + SECOND);
    } finally {
      run.mockRestore();
    }
  });
});
