import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { type DataKeyPurpose, PURPOSE_RULES } from "../../src/keys/key-purposes.ts";
import type { KeyRing } from "../../src/keys/key-ring.ts";
import { KeyRingStore } from "../../src/keys/key-ring-store.ts";
import { seal, unseal } from "../../src/keys/seal.ts";
import { CHALLENGE_TTL_MS, PASSKEY_CHALLENGE_TTL_MS } from "../../src/policy.ts";
import { DATA_KEY_LEAD_MS, DPOP_NONCE_TTL_MS, SIGNING_KEY_LEAD_MS } from "../../src/token-policy.ts";
import { signChallengeToken, verifyChallengeToken } from "../../src/tokens/challenge-token.ts";
import { isDpopNonce, makeDpopNonce } from "../../src/tokens/dpop-nonce.ts";
import { openLink, sealLink } from "../../src/tokens/one-time-link.ts";
import { makePasskeyChallenge, readPasskeyChallenge } from "../../src/tokens/passkey-challenge.ts";
import { makeRefreshToken, readRefreshToken } from "../../src/tokens/refresh-token.ts";
import { roots } from "../support/in-worker.ts";
import { storedRing } from "../support/stored-ring.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const MINUTE = 60_000;
const DAY = 86_400_000;
const PERIOD = 90 * DAY;
const DUE = NOW + PERIOD;
const PURPOSES = Object.keys(PURPOSE_RULES).filter((name) => name !== "signing") as DataKeyPurpose[];
const ISSUER = "http://localhost";

const newStore = () => new KeyRingStore(roots());

beforeEach(async () => {
  await env.DB.prepare("DELETE FROM key_ring").run();
  await env.KV.delete("key-ring");
  await newStore().current(env, NOW);
});

/** KV as a distant edge shows it: what was written `lagMs` ago. The clock is the walk's. */
function laggingKv(lagMs: number): { kv: KVNamespace; setClock: (now: number) => void } {
  const writes: { at: number; value: string }[] = [];
  let clock = 0;
  const get = async () => {
    const seen = writes.findLast(({ at }) => at <= clock - lagMs);
    return seen ? (JSON.parse(seen.value) as unknown) : null;
  };
  const put = async (_: string, value: string) => {
    writes.push({ at: clock, value });
  };
  const setClock = (now: number) => {
    clock = now;
  };
  return { kv: { get, put } as unknown as KVNamespace, setClock };
}

/** What one isolate makes now and another could not make anything of. */
function unreadable(maker: KeyRing, reader: KeyRing): string[] {
  const strange = PURPOSES.filter((purpose) => !reader.byId(purpose)(maker.active(purpose).id));
  return reader.verifying.has(maker.signing.kid) ? strange : [...strange, "signing"];
}

/**
 * Walks ten isolates of different age and a cron, minute by minute. What any of them could not read of another. `acts` is
 * what operators do in each minute.
 */
async function walk(from: number, to: number, lagMs: number, acts = async (_: number) => {}): Promise<string[]> {
  const isolates = Array.from({ length: 10 }, newStore);
  const cron = newStore();
  const { kv, setClock } = laggingKv(lagMs);
  const bindings = { DB: env.DB, KV: kv };
  const found = new Set<string>();
  for (let minute = from; minute <= to; minute += MINUTE) {
    setClock(minute);
    await acts(minute);
    await cron.turn(bindings, PERIOD, minute);
    // Two of them are asked each half minute, so that they have read the ring at different moments.
    for (const [at, isolate] of isolates.entries()) {
      if ((minute / MINUTE + at) % 5 === 0) await isolate.current(bindings, minute + at * 3_000);
    }
    const rings = await Promise.all(isolates.map((isolate) => isolate.current(bindings, minute + MINUTE / 2)));
    for (const maker of [...rings, await cron.current(bindings, minute)]) {
      for (const reader of rings) for (const name of unreadable(maker, reader)) found.add(name);
    }
  }
  return [...found];
}

describe("isolates of every age, over copies that lag", () => {
  it.each([0, 1, 4])("read what any of them makes while keys turn by themselves (%i minutes of lag)", async (lag) => {
    expect(await walk(DUE - 12 * MINUTE, DUE + 12 * MINUTE, lag * MINUTE)).toEqual([]);
    expect((await storedRing()).data.find(({ purpose, state }) => purpose === "link" && state === "active")?.id).toBe(
      2,
    );
  });

  it("read what any of them makes when every purpose is rotated twice, as soon as it may be", async () => {
    const at = NOW + DAY;
    // In the same minute: the second of them has to wait until the successor of the first is known everywhere.
    const rotateAll = async (minute: number) => {
      if (minute !== at) return;
      for (const round of ["first", "second"]) {
        for (const purpose of Object.keys(PURPOSE_RULES)) {
          await newStore().rotate(env, { purpose, by: `${round} ${purpose}` }, PERIOD, minute);
        }
      }
    };
    expect(await walk(at - 6 * MINUTE, at + DATA_KEY_LEAD_MS + 6 * MINUTE, 2 * MINUTE, rotateAll)).toEqual([]);
    expect(await walk(at + SIGNING_KEY_LEAD_MS - 6 * MINUTE, at + SIGNING_KEY_LEAD_MS + 6 * MINUTE, 0)).toEqual([]);
    const { data, signing } = await storedRing();
    expect(signing.find(({ state }) => state === "active")?.kid).toBe(signing.at(-2)?.kid);
    const active = data.filter(({ state }) => state === "active").map(({ purpose, id }) => [purpose, id]);
    expect(Object.fromEntries(active)).toMatchObject({ seal: 3, pepper: 3, recovery: 3, link: 3, dpop: 3, digest: 1 });
  });
});

describe("what a key made that has retired since", () => {
  const refreshParts = {
    accountId: "0195f0a0-0000-7000-8000-000000000001",
    sessionId: "0195f0a0-0000-7000-8000-000000000002",
    generation: 3,
    secret: new Uint8Array(16),
  };
  const challenge = { accountId: refreshParts.accountId, challengeId: "c1", purpose: "login" } as const;

  /** The ring of the last moment before a rotation, and those of some time after it. */
  async function rotated(): Promise<{ before: KeyRing; since: (ms: number) => Promise<KeyRing> }> {
    const at = DUE + MINUTE;
    const before = await newStore().current(env, at - 1);
    for (const purpose of ["signing", ...PURPOSES]) {
      await newStore().rotate(env, { purpose, by: `op ${purpose}` }, PERIOD, at - 1);
    }
    const since = async (ms: number) => {
      await newStore().turn(env, PERIOD, at + ms);
      return newStore().current(env, at + ms);
    };
    return { before, since };
  }

  it("is good as long as it says it is", async () => {
    const { before, since } = await rotated();
    const at = DUE + MINUTE;
    const [made, ends] = [at - 1, at + 15 * DAY];
    const refresh = await makeRefreshToken(before, refreshParts);
    const link = await sealLink(before, "recovery_cancel", { accountId: "a", id: "i" }, ends);
    const token = await signChallengeToken(before, ISSUER, challenge, made + CHALLENGE_TTL_MS);
    const assertion = await makePasskeyChallenge(before, made);
    const nonce = await makeDpopNonce(before, made);
    const short = await since(4 * MINUTE);
    expect(short.active("challenge").id).not.toBe(before.active("challenge").id);
    expect(await verifyChallengeToken(short, ISSUER, token, made + CHALLENGE_TTL_MS - 2_000)).toEqual(challenge);
    expect(await readPasskeyChallenge(short, assertion, made + PASSKEY_CHALLENGE_TTL_MS - 2_000)).toBeDefined();
    expect(await isDpopNonce(short, nonce, made + DPOP_NONCE_TTL_MS - 1)).toBe(true);
    expect(await openLink(await since(15 * DAY - 1), "recovery_cancel", link, ends - 1)).toEqual({
      accountId: "a",
      id: "i",
    });
    expect(await readRefreshToken(await since(30 * DAY), refresh)).toMatchObject({ generation: 3 });
    expect(await readRefreshToken(await since(32 * DAY), refresh)).toBeUndefined();
  });

  it("and is stored is readable for ever, and what is made now is made with the new key", async () => {
    const { before, since } = await rotated();
    const sealed = await seal(before.active("seal"), new Uint8Array([1, 2, 3]), "factor");
    const later = await since(500 * DAY);
    expect(await unseal(later.byId("seal"), sealed, "factor")).toEqual(new Uint8Array([1, 2, 3]));
    for (const purpose of ["seal", "pepper", "recovery"] as const) {
      expect(later.active(purpose).id).not.toBe(before.active(purpose).id);
      expect(later.byId(purpose)(before.active(purpose).id)).toBeDefined();
    }
    for (const purpose of ["digest", "handle"] as const)
      expect(later.active(purpose).id).toBe(before.active(purpose).id);
  });
});
