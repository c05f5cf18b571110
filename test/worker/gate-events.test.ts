import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import type { Circumstances } from "../../src/events/security-event.ts";
import { clientNetwork } from "../../src/gate/network.ts";
import { assertionGate, emailGate, type GateRequest, networkGate, sourceGate } from "../../src/gate/subjects.ts";
import { emailDigest } from "../../src/keys/keyed-digest.ts";
import { ADDRESS_FAILURES } from "../../src/policy.ts";
import { ring as keyRing } from "../support/in-worker.ts";
import { rowsWritten } from "../support/rows-written.ts";
import { evictAfter } from "./support/evictable.ts";
import {
  eventsFrom,
  fail,
  failTimes,
  gateOf,
  newAddress,
  newNetwork,
  refusalOf,
  reserve,
  ring,
  ringsAt,
  rowsOf,
} from "./support/gates.ts";
import { HOUR, MINUTE, pass, SECOND, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

const circumstances = ({ network }: { network: string }): Circumstances => ({ source: network, request: "r1" });
const digestOf = async (key: string) => emailDigest(await keyRing(), key);

describe("a failure of a known account", () => {
  it("is one event each, of the gate of its address, in the turn of the count", async () => {
    const [key, client] = [newAddress(), newNetwork()];
    const gate = await emailGate(await keyRing(), key, client);
    const failed = { from: circumstances(client), address: await digestOf(key), factor: "pwd" } as const;
    const known = { ...failed, reason: "wrong_password", account: crypto.randomUUID() };
    await fail(gate, known);
    expect(await rowsWritten(() => fail(gate, known))).toBe(3);
    expect(await rowsOf(gate, "outbox")).toBe(2);
    expect(await ringsAt(gate)).toBe(Date.now() + SECOND);
    await ring(gate);
    const { from, ...told } = known;
    const event = { kind: "authn_login_fail", ...told, ...from };
    expect(await eventsFrom(client.network)).toMatchObject([event, event]);
    expect(await rowsOf(gate, "outbox")).toBe(0);
  });

  it("says with the twentieth that the address asks for a proof from now on", async () => {
    const [key, client] = [newAddress(), newNetwork()];
    for (let i = 0; i < ADDRESS_FAILURES; i += 1) {
      const known = { from: circumstances(client), reason: "wrong_password", account: "a1" };
      await fail(await emailGate(await keyRing(), key, newNetwork()), known);
    }
    await ring(await emailGate(await keyRing(), key, client));
    const locks = (await eventsFrom(client.network)).filter(({ kind }) => kind === "authn_login_lock");
    expect(locks).toMatchObject([{ reason: "address_unproven", account: "a1" }]);
  });
});

describe("failures of unknown addresses", () => {
  const unknownFrom = async (client: ReturnType<typeof newNetwork>, key = newAddress()) => {
    const address = await digestOf(key);
    const gate = await sourceGate(await keyRing(), client, false, address);
    const failed = { from: circumstances(client), address, factor: "pwd", reason: "unknown_email" } as const;
    return { gate, failed, attempt: () => fail(gate, failed) };
  };

  it("are the first of a minute at once, and the rest one event with their number and how many addresses", async () => {
    const client = newNetwork();
    const first = await unknownFrom(client);
    await first.attempt();
    await ring(first.gate);
    expect(await eventsFrom(client.network)).toMatchObject([
      {
        kind: "authn_login_fail",
        reason: "unknown_email",
        factor: "pwd",
        address: first.failed.address,
        request: "r1",
      },
    ]);
    for (let i = 0; i < 3; i += 1) await (await unknownFrom(client)).attempt();
    await first.attempt();
    expect(await ringsAt(first.gate)).toBe(Date.now() + MINUTE);
    await ring(first.gate);
    expect(await eventsFrom(client.network)).toHaveLength(1);
    pass(MINUTE);
    await ring(first.gate);
    const [, rest] = await eventsFrom(client.network);
    expect(rest).toMatchObject({ kind: "authn_login_fail", reason: "unknown_email", count: 4, addresses: 4 });
    expect(rest).toMatchObject({ about: { addresses_touched: 4 } });
    expect(rest?.address).toBeUndefined();
    expect(rest?.request).toBeUndefined();
    // The next one begins anew.
    await first.attempt();
    await ring(first.gate);
    expect(await eventsFrom(client.network)).toHaveLength(3);
  });

  it("write as many rows as those of a known account: the first ones of a minute the same", async () => {
    const [key, client] = [newAddress(), newNetwork()];
    const unknown = await unknownFrom(client);
    const byEmail = await emailGate(await keyRing(), key, client);
    const known = { ...unknown.failed, reason: "wrong_password", account: "a1" };
    // Tables are made, and the minute of the first is over.
    await unknown.attempt();
    await fail(byEmail, known);
    pass(MINUTE);
    await ring(unknown.gate);
    const ofKnown = await rowsWritten(() => Promise.all([fail(unknown.gate), fail(byEmail, known)]));
    const ofUnknown = await rowsWritten(() => Promise.all([unknown.attempt(), fail(byEmail)]));
    expect({ ofKnown, ofUnknown }).toEqual({ ofKnown: 5, ofUnknown: 5 });
  });

  it("are lost with the object's memory, but for the first, which is a row", async () => {
    const client = newNetwork();
    const one = await unknownFrom(client);
    await evictAfter(gateOf(one.gate), async () => {
      for (let i = 0; i < 3; i += 1) await one.attempt();
    });
    await ring(one.gate);
    pass(MINUTE);
    expect(await eventsFrom(client.network)).toHaveLength(1);
  });

  it("keep their gate in memory until they are told, by one timer", async () => {
    const one = await unknownFrom(newNetwork());
    const timers = vi.spyOn(globalThis, "setTimeout");
    const kept = () => timers.mock.calls.filter(([, ms]) => (ms ?? 0) > 30 * SECOND).length;
    await one.attempt();
    expect(kept()).toBe(0);
    for (let i = 0; i < 3; i += 1) await one.attempt();
    expect(kept()).toBe(1);
    timers.mockRestore();
  });

  it("leave their digits at the network, those of known accounts too, and never an address", async () => {
    const client = newNetwork();
    const keys = [newAddress(), newAddress()];
    for (const key of [...keys, ...keys]) {
      await fail(await sourceGate(await keyRing(), client, false, await digestOf(key)));
    }
    const gate = await networkGate(await keyRing(), client.network);
    const stored = await runInDurableObject(gateOf(gate), (_, { storage }) =>
      storage.sql.exec<{ state: string }>("SELECT state FROM windows WHERE key = ?", gate.subjects[0]?.key).one(),
    );
    const marks = await Promise.all(keys.map(async (key) => (await digestOf(key)).slice(0, 8)));
    expect((JSON.parse(stored.state) as { marks: string[] }).marks).toEqual([...marks, ...marks]);
  });
});

describe("tries that a gate refuses", () => {
  it("are an event of that gate at once and then a number, with the address they named", async () => {
    const [key, client] = [newAddress(), newNetwork()];
    const gate = await emailGate(await keyRing(), key, client);
    const address = await digestOf(key);
    await failTimes(5, gate);
    for (let i = 0; i < 4; i += 1) await reserve(gate, { from: circumstances(client), address, factor: "pwd" });
    pass(MINUTE);
    await ring(gate);
    const told = { kind: "excess_rate_limit_exceeded", reason: "pair_throttled", address, factor: "pwd" };
    expect(await eventsFrom(client.network)).toMatchObject([told, { ...told, count: 3, addresses: 1 }]);
  });

  it("are told for each group of sources of a distributed attack", async () => {
    const key = newAddress();
    const address = await digestOf(key);
    for (let i = 0; i < ADDRESS_FAILURES; i += 1) await fail(await emailGate(await keyRing(), key, newNetwork()));
    const clients = [newNetwork(), newNetwork()];
    for (const client of clients) {
      await reserve(await emailGate(await keyRing(), key, client), { from: circumstances(client), address });
    }
    await ring(await emailGate(await keyRing(), key, newNetwork()));
    for (const { network } of clients) {
      expect(await eventsFrom(network)).toMatchObject([{ reason: "address_unproven", address }]);
    }
  });

  it("are silent where mails are kept back, and an event", async () => {
    const client = newNetwork();
    const gate: GateRequest = { shard: "mails", subjects: [{ kind: "mails_to_address", key: crypto.randomUUID() }] };
    const attempt = { from: circumstances(client), address: "abc" };
    for (let i = 0; i < 3; i += 1) expect(await gateOf(gate).spend(gate.subjects, attempt)).toBe(true);
    expect(await gateOf(gate).spend(gate.subjects, attempt)).toBe(false);
    await ring(gate);
    expect(await eventsFrom(client.network)).toMatchObject([
      { kind: "excess_rate_limit_exceeded", reason: "mails_throttled", address: "abc" },
    ]);
  });
});

it("what no object has seen is reported to the gate of its source", async () => {
  const client = newNetwork();
  const gate = await sourceGate(await keyRing(), client);
  const occurrence = { kind: "authz_fail", reason: "challenge_forged" } as const;
  for (let i = 0; i < 10; i += 1) await gateOf(gate).report(occurrence, circumstances(client));
  pass(MINUTE);
  await ring(gate);
  expect(await eventsFrom(client.network)).toMatchObject([occurrence, { ...occurrence, count: 9 }]);
});

describe("a network that an alert has closed", () => {
  it("is refused until then, but for recognised browsers and passkeys, and its neighbours are not", async () => {
    const client = newNetwork();
    const group = await networkGate(await keyRing(), client.network);
    await gateOf(group).impose(group.subjects, Date.now() + HOUR);
    const stranger = await sourceGate(await keyRing(), client);
    expect(await reserve(stranger)).toEqual({ refused: "network_throttled", retryAfterSeconds: 3600 });
    expect(await refusalOf(await sourceGate(await keyRing(), client, true))).toBeUndefined();
    expect(await refusalOf(await assertionGate(await keyRing(), client))).toBeUndefined();
    expect(await refusalOf(await sourceGate(await keyRing(), newNetwork()))).toBeUndefined();
    await evictDurableObject(gateOf(group));
    expect(await refusalOf(stranger)).toBe("network_throttled");
    pass(HOUR);
    expect(await refusalOf(stranger)).toBeUndefined();
  });

  it("is written once, however often the alert comes, and an operator opens it", async () => {
    const client = newNetwork();
    const group = await networkGate(await keyRing(), client.network);
    const until = Date.now() + HOUR;
    await gateOf(group).impose(group.subjects, until);
    expect(await rowsWritten(async () => gateOf(group).impose(group.subjects, until))).toBe(0);
    await gateOf(group).lift(group.subjects);
    expect(await refusalOf(await sourceGate(await keyRing(), client))).toBeUndefined();
  });
});

describe("a client", () => {
  it("of IPv6 is its /64 in every spelling, and its /48 has a hundred", async () => {
    const spellings = [
      "2001:db8:a1:b1::1",
      "2001:0DB8:00A1:B1::ffff",
      "2001:db8:a1:b1:1:2:3:4",
      "2001:db8:a1:b1::1.2.3.4",
    ];
    for (let i = 0; i < 5; i += 1) {
      for (const address of spellings) await fail(await sourceGate(await keyRing(), clientNetwork(address)));
    }
    expect(await refusalOf(await sourceGate(await keyRing(), clientNetwork("2001:db8:a1:b1:ffff::")))).toBe(
      "source_throttled",
    );
    for (let net = 2; net < 6; net += 1) {
      await failTimes(20, await sourceGate(await keyRing(), clientNetwork(`2001:db8:a1:b${net}::1`)));
    }
    expect(await refusalOf(await sourceGate(await keyRing(), clientNetwork("2001:db8:a1:ff::1")))).toBe(
      "network_throttled",
    );
    expect(await refusalOf(await sourceGate(await keyRing(), clientNetwork("2001:db8:a2:ff::1")))).toBeUndefined();
  });
});
