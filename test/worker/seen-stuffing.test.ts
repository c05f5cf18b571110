import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { networkGate } from "../../src/gate/subjects.ts";
import { logIn, newSource, ring } from "../support/in-worker.ts";
import { alerts } from "./support/detection.ts";
import { MINUTE, pass, useMovedClock } from "./support/moved-clock.ts";
import { runMinute } from "./support/operations.ts";

useMovedClock();

it("a list of forty addresses that nobody has, tried from two hosts of a network, is an alert at the next minute", async () => {
  const source = newSource();
  const other = source.replace(/\d+$/, "2");
  const network = source.replace(/\.\d+$/, ".0/24");
  const { shard } = await networkGate(await ring(), network);
  const gate = env.GATES.getByName(shard);
  for (let index = 0; index < 40; index += 1) {
    const nobody = { id: "", email: `nobody${index}@example.com`, password: "Summer of twenty twenty-six" };
    expect((await logIn(nobody, { source: index % 2 === 0 ? source : other })).status).toBe(401);
  }
  // Nobody waits until what the gate counts is a minute old.
  await runDurableObjectAlarm(gate);
  await runMinute();
  const found = { pattern: "credential_stuffing", subject: `source:${network}` };
  expect(await alerts()).toMatchObject([{ ...found, tries: 30, addresses: 30 }]);
  pass(MINUTE + 1_000);
  await runDurableObjectAlarm(gate);
  await runMinute(Date.now());
  expect(await alerts()).toMatchObject([{ ...found, tries: 40, addresses: 40 }]);
});

it.each([20, 26])(
  "%i addresses that nobody has, tried from one host, are sprayed, though its throttle refuses those after the twentieth",
  async (count) => {
    const source = newSource();
    const network = source.replace(/\.\d+$/, ".0/24");
    const { shard } = await networkGate(await ring(), network);
    const gate = env.GATES.getByName(shard);
    for (let index = 0; index < count; index += 1) {
      const nobody = { id: "", email: `no${count}body${index}@example.com`, password: "Summer of twenty twenty-six" };
      expect((await logIn(nobody, { source })).status).toBe(index < 20 ? 401 : 429);
    }
    const found = async () => (await alerts()).filter(({ subject }) => subject === `source:${network}`);
    await runDurableObjectAlarm(gate);
    await runMinute();
    expect(await found()).toMatchObject([{ pattern: "password_spraying", addresses: 15 + Math.min(count - 20, 1) }]);
    pass(MINUTE + 1_000);
    await runDurableObjectAlarm(gate);
    await runMinute(Date.now());
    expect(await found()).toMatchObject([{ pattern: "password_spraying", tries: count, addresses: count }]);
  },
);
