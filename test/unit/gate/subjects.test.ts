import { beforeAll, describe, expect, it } from "vitest";
import { clientNetwork } from "../../../src/gate/network.ts";
import {
  addressGate,
  addressOnlyCounted,
  assertionGate,
  emailGate,
  mailsFromSourceGate,
  mailsToAddressGate,
  networkGate,
  proofMailGate,
  proofsFromSourceGate,
  sourceGate,
  withoutAddress,
} from "../../../src/gate/subjects.ts";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { emailDigest } from "../../../src/keys/keyed-digest.ts";
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

  it("tells its network which address is tried, in a few digits", async () => {
    const digest = await emailDigest(ring, "ada@example.com");
    const [source, network] = (await sourceGate(ring, HOME, false, digest)).subjects;
    expect(source).toEqual({ kind: "source", key: "source:203.0.113.7" });
    expect(network).toEqual({ kind: "network", key: "network:203.0.113.0/24", mark: digest.slice(0, 8) });
  });

  it("has the surroundings alone for whoever knows only those, in the same shard and under the same name", async () => {
    const gate = await sourceGate(ring, HOME);
    expect(await networkGate(ring, HOME.network)).toEqual({ ...gate, subjects: gate.subjects.slice(1) });
  });
});

describe("the gate of a sign-in by passkey alone", () => {
  it("is refused for its own failures, and counts them as the client's, too", async () => {
    const gate = await assertionGate(ring, HOME);
    const source = await sourceGate(ring, HOME);
    expect(gate.subjects).toEqual([
      { kind: "assertions_from_source", key: "assertions-from:203.0.113.7" },
      { kind: "assertions_from_network", key: "assertions-from:203.0.113.0/24" },
      ...source.subjects.map((subject) => ({ ...subject, onlyCounted: true })),
    ]);
  });

  it("has the shard of the client, so that one call counts all four", async () => {
    expect((await assertionGate(ring, NEIGHBOUR)).shard).toBe((await sourceGate(ring, HOME)).shard);
  });
});

describe("the gate of an email key", () => {
  it("has the shard of the email key, whatever the source, and counts each source apart", async () => {
    const [home, elsewhere] = await Promise.all(
      [HOME, ELSEWHERE].map((network) => emailGate(ring, "ada@example.com", network)),
    );
    expect(elsewhere?.shard).toBe(home?.shard);
    expect(elsewhere?.subjects).not.toEqual(home?.subjects);
    expect(home?.subjects.map(({ kind }) => kind)).toEqual(["pair", "address"]);
    // The address is one, from wherever it is tried.
    expect(elsewhere?.subjects[1]).toEqual(home?.subjects[1]);
  });

  it("counts a recognised browser by itself, wherever it is", async () => {
    const home = await emailGate(ring, "ada@example.com", HOME);
    const browser = await emailGate(ring, "ada@example.com", HOME, { browserId: "b1" });
    expect(browser.shard).toBe(home.shard);
    expect(browser.subjects.map(({ kind }) => kind)).toEqual(["pair"]);
    expect(browser.subjects).not.toEqual(home.subjects.slice(0, 1));
    expect(await emailGate(ring, "ada@example.com", ELSEWHERE, { browserId: "b1" })).toEqual(browser);
    expect(await emailGate(ring, "ada@example.com", HOME, { browserId: "b2" })).not.toEqual(browser);
    expect(await emailGate(ring, "eve@example.com", HOME, { browserId: "b1" })).not.toEqual(browser);
  });

  it("never takes a browser for a client whose address reads the same", async () => {
    const subjectsOf = async (browserId?: string) =>
      (await emailGate(ring, "ada@example.com", HOME, { browserId })).subjects.map(({ key }) => key);
    expect(await subjectsOf(HOME.source)).not.toEqual(await subjectsOf());
  });

  it("takes the attempts of a mailed proof in place of the waits of the pair, which is counted still", async () => {
    const [pair, address] = (await emailGate(ring, "ada@example.com", HOME)).subjects;
    const gate = await emailGate(ring, "ada@example.com", HOME, { proofId: "p1" });
    expect(gate.subjects).toEqual([
      { kind: "proof", key: "proof:p1" },
      { ...pair, onlyCounted: true },
      { ...address, capOnly: true },
    ]);
    const [ofBrowser] = (await emailGate(ring, "ada@example.com", HOME, { browserId: "b1" })).subjects;
    const both = await emailGate(ring, "ada@example.com", HOME, { browserId: "b1", proofId: "p1" });
    expect(both.subjects).toEqual([
      { kind: "proof", key: "proof:p1" },
      { ...ofBrowser, onlyCounted: true },
    ]);
  });

  it("asks a proof of nobody whom a bot check speaks for, who waits for the pair like anybody", async () => {
    const [pair, address] = (await emailGate(ring, "ada@example.com", HOME)).subjects;
    const gate = await emailGate(ring, "ada@example.com", HOME, { passedBotCheck: true });
    expect(gate.subjects).toEqual([pair, { ...address, capOnly: true }]);
  });

  it("counts a recognised browser towards the cap of its address in the profile nist, and nowhere else", async () => {
    const kinds = async (profile: "standard" | "nist", proofId?: string) => {
      const credit = { browserId: "b1", proofId };
      return (await emailGate(ring, "ada@example.com", HOME, credit, profile)).subjects.slice(-1);
    };
    const [, address] = (await emailGate(ring, "ada@example.com", HOME)).subjects;
    for (const proofId of [undefined, "p1"]) {
      expect(await kinds("nist", proofId)).toEqual([{ ...address, capOnly: true }]);
      expect((await kinds("standard", proofId)).map(({ kind }) => kind)).toEqual(["pair"]);
    }
  });

  it("is not refused by the address, or does not touch it, where a door says so", async () => {
    const gate = await emailGate(ring, "ada@example.com", HOME);
    const [pair, address] = gate.subjects;
    expect(addressOnlyCounted(gate)).toEqual({ ...gate, subjects: [pair, { ...address, onlyCounted: true }] });
    expect(withoutAddress(gate)).toEqual({ ...gate, subjects: [pair] });
  });

  it("names an address as the gate of its digest does", async () => {
    const gate = await emailGate(ring, "ada@example.com", HOME);
    expect(addressGate(await emailDigest(ring, "ada@example.com"))).toEqual({
      shard: gate.shard,
      subjects: gate.subjects.slice(1),
    });
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

describe("the gate of mailed proofs", () => {
  it("counts an address by itself, whoever asks, without holding it", async () => {
    const proofs = await proofMailGate(ring, "ada@example.com");
    const others = await mailsToAddressGate(ring, "ada@example.com");
    expect(proofs.subjects.map(({ kind }) => kind)).toEqual(["proofs_to_address"]);
    expect(proofs.subjects.map(({ key }) => key)).not.toEqual(others.subjects.map(({ key }) => key));
    expect(proofs.shard).toBe(others.shard);
    expect(JSON.stringify(proofs)).not.toMatch(/ada|example\.com/);
    expect(await proofMailGate(ring, "eve@example.com")).not.toEqual(proofs);
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

describe("who shares a network with somebody else", () => {
  it("is counted and not refused by it in a browser that the account recognises", async () => {
    const { shard, subjects } = await sourceGate(ring, HOME, true);
    const stranger = await sourceGate(ring, HOME);
    expect(shard).toBe(stranger.shard);
    expect(subjects).toEqual(stranger.subjects.map((subject) => ({ ...subject, onlyCounted: true })));
  });

  it("has proofs of its own to ask for, whatever others have registered", async () => {
    const keys = async (gate: typeof proofsFromSourceGate) => (await gate(ring, HOME)).subjects.map(({ key }) => key);
    const proofs = await keys(proofsFromSourceGate);
    expect(proofs).toHaveLength(2);
    expect(await keys(mailsFromSourceGate)).not.toEqual(expect.arrayContaining([proofs[0]]));
    expect(await keys(mailsFromSourceGate)).not.toEqual(expect.arrayContaining([proofs[1]]));
  });
});
