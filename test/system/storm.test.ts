import { afterAll, beforeAll, expect, it } from "vitest";
import { get, logIn, newPerson, refreshed, signedIn, text, verifiedPerson } from "../support/client.ts";
import { DirectInstance } from "../support/direct-instance.ts";
import { median, quantile } from "../support/medians.ts";
import { inStorm } from "../support/storm.ts";

const PARALLEL = 200;
const IDLE_SAMPLES = 40;
/** Enough for the 99th hundredth to be another one than the worst. */
const STORM_SAMPLES = 120;
const P99_MS = 250;
/** The same where a hash takes longer than the fifty milliseconds that are usual: there everything else does, too. */
const P99_HASHES = 5;
/** A machine that does something else meanwhile may spoil a round. The bounds are those of every round. */
const ROUNDS = 6;

const instance = new DirectInstance();
let origin: string;
let token: string;
beforeAll(async () => {
  origin = await instance.start();
  token = (await signedIn(await verifiedPerson())).refresh;
}, 180_000);
afterAll(() => instance.end());

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function sample(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  while (times.length < count) times.push(await timed(work));
  return times;
}

async function refresh(): Promise<void> {
  const answer = await refreshed(token, { patient: false });
  expect(answer.status, answer.text).toBe(200);
  token = text(answer, "refresh_token");
}

async function readKeys(): Promise<void> {
  expect((await get("/.well-known/jwks.json", { patient: false })).status).toBe(200);
}

/** One round: idle first, then the same amid the storm. Milliseconds. */
async function round() {
  const idle = {
    refresh: median(await sample(IDLE_SAMPLES, refresh)),
    keys: median(await sample(IDLE_SAMPLES, readKeys)),
  };
  const signIns = await sample(20, () => logIn(newPerson(), {}, { patient: false }));
  const hash = median(signIns) - idle.refresh;
  const { storm, result } = await inStorm(origin, PARALLEL, () =>
    Promise.all([sample(STORM_SAMPLES, refresh), sample(STORM_SAMPLES, readKeys)]),
  );
  const [refreshes, keys] = result;
  const of = (times: number[], before: number) => ({
    overIdleInHashes: (median(times) - before) / hash,
    p99: quantile(times, 0.99),
    p99Most: Math.max(P99_MS, P99_HASHES * hash),
  });
  return { idle, hash, storm, refresh: of(refreshes, idle.refresh), keys: of(keys, idle.keys) };
}

const holds = ({ refresh, keys }: Awaited<ReturnType<typeof round>>) =>
  [refresh, keys].every(({ overIdleInHashes, p99, p99Most }) => overIdleInHashes <= 1 && p99 < p99Most);

it("under 200 parallel sign-ins refresh and JWKS wait for one hash at most, and the rest hear when to come back", async () => {
  const rounds: Awaited<ReturnType<typeof round>>[] = [];
  while (rounds.length < ROUNDS && !rounds.some(holds)) rounds.push(await round());
  for (const { storm } of rounds) {
    const { 401: served = 0, 503: refused = 0, ...others } = storm.statuses;
    expect(others).toEqual({});
    expect(storm.withoutRetryAfter).toBe(0);
    // Eight places: who comes when one is free again gets it, and nearly all come before that.
    expect(served / storm.waves).toBeGreaterThanOrEqual(8);
    expect(refused / storm.waves).toBeGreaterThan(PARALLEL / 2);
  }
  const { refresh, keys, hash } = rounds.find(holds) ?? rounds.at(-1) ?? (await round());
  expect(hash).toBeGreaterThan(10);
  expect(Math.max(refresh.overIdleInHashes, keys.overIdleInHashes)).toBeLessThanOrEqual(1);
  expect(Math.max(refresh.p99, keys.p99)).toBeLessThan(refresh.p99Most);
}, 600_000);
