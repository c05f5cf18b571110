import { beforeAll, describe, expect, it } from "vitest";
import { clientNetwork } from "../../../src/gate/network.ts";
import { emailGate, mailsFromSourceGate, mailsToAddressGate, sourceGate } from "../../../src/gate/subjects.ts";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { newRing } from "../support/rings.ts";

const HOME = clientNetwork("203.0.113.7");
const NEIGHBOUR = clientNetwork("203.0.113.8");
const ELSEWHERE = clientNetwork("198.51.100.1");

let ring: KeyRing;

beforeAll(async () => {
  ring = await newRing();
});

describe("the gate of a source", () => {
  it("counts a client and its surroundings in one shard, so that one call is enough", async () => {
    const gate = await sourceGate(ring, HOME);
    expect(gate.subjects).toEqual([
      { kind: "source", key: "source:203.0.113.7" },
      { kind: "network", key: "network:203.0.113.0/24" },
    ]);
    expect((await sourceGate(ring, NEIGHBOUR)).shard).toBe(gate.shard);
  });
});

describe("the gate of an email key", () => {
  it("has the shard of the email key, whatever the source, and counts each source apart", async () => {
    const [home, elsewhere] = await Promise.all(
      [HOME, ELSEWHERE].map((network) => emailGate(ring, "ada@example.com", network)),
    );
    expect(elsewhere?.shard).toBe(home?.shard);
    expect(elsewhere?.subjects).not.toEqual(home?.subjects);
    expect(home?.subjects.map(({ kind }) => kind)).toEqual(["pair"]);
  });

  it("holds no address of a person", async () => {
    const gate = await emailGate(ring, "ada@example.com", HOME);
    expect(JSON.stringify(gate)).not.toMatch(/ada|example\.com/);
    // Keyed: another deployment, or somebody with a copy of one, computes something else.
    expect(await emailGate(await newRing(), "ada@example.com", HOME)).not.toEqual(gate);
  });
});

describe("the gates of mails", () => {
  it("count a source in the shard of its failures, under a key of its own", async () => {
    const mails = await mailsFromSourceGate(ring, HOME);
    expect(mails.subjects).toEqual([
      { kind: "mails_from_source", key: "mails-from:203.0.113.7" },
      { kind: "mails_from_network", key: "mails-from:203.0.113.0/24" },
    ]);
    expect(mails.shard).toBe((await sourceGate(ring, HOME)).shard);
  });

  it("count an address whoever asks, without holding it", async () => {
    const mails = await mailsToAddressGate(ring, "ada@example.com");
    expect(mails.subjects.map(({ kind }) => kind)).toEqual(["mails_to_address"]);
    expect(mails.shard).toBe((await emailGate(ring, "ada@example.com", HOME)).shard);
    expect(JSON.stringify(mails)).not.toMatch(/ada|example\.com/);
    expect(await mailsToAddressGate(ring, "eve@example.com")).not.toEqual(mails);
  });
});

describe("shards", () => {
  it("are names from 0 to 4095, and many are used", async () => {
    const addresses = Array.from({ length: 400 }, (_, index) => `user${index}@example.com`);
    const shards = (await Promise.all(addresses.map((key) => emailGate(ring, key, HOME)))).map(({ shard }) => shard);
    expect(shards.every((shard) => /^\d{1,4}$/.test(shard) && Number(shard) < 4096)).toBe(true);
    // 400 of 4,096 at random are about 381 different ones.
    expect(new Set(shards).size).toBeGreaterThan(340);
  });
});
