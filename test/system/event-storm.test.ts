import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Instance, startInstance } from "../../scripts/instance.mjs";

// A hundred thousand events on their way from a hundred objects to the second database, which fails one time in three,
// half of them after it has written; while the minute cron links them; and the runtime is killed twice. The objects, the
// outboxes, the alarms and the chain are the product's: event-storm/worker.ts only has them record.

const ROOT = join(import.meta.dirname, "../..");
const BURST = 500;
const BURSTS_OF_OBJECT = 2;
const OBJECTS = { account: 80, gate: 20 };
const EVENTS = (OBJECTS.account + OBJECTS.gate) * BURSTS_OF_OBJECT * BURST;
/** How many have arrived when the runtime is killed. */
const KILLS = [20_000, 60_000];
/** After the last one was recorded. The longest wait in between is a few failures in a row. */
const IN_TIME_MS = 60_000;

const state = mkdtempSync(join(tmpdir(), "sallyport-storm-"));
let instance: Instance;

/** The product's settings, with the worker of this test in them. */
function settings(): string {
  const folder = join(ROOT, ".wrangler/event-storm");
  const main = `main = ${JSON.stringify(join(import.meta.dirname, "event-storm/worker.ts"))}`;
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "wrangler.toml");
  writeFileSync(file, readFileSync(join(ROOT, "wrangler.toml"), "utf8").replace(/^main = .*$/m, main));
  return file;
}

async function start(before?: Instance): Promise<void> {
  const again = before ? { port: before.port, rootSecret: before.rootSecret } : {};
  instance = await startInstance({ state, args: ["--config", settings()], ...again });
}

beforeAll(() => start());
afterAll(async () => {
  await instance.stop();
  rmSync(state, { recursive: true, force: true });
});

/** What the worker answers; nothing while nobody is there. */
async function ask(path: string): Promise<Response | undefined> {
  const answer = await fetch(`${instance.url}${path}`).catch(() => undefined);
  return answer?.ok ? answer : undefined;
}

async function count(of: "arrived" | "linked"): Promise<number> {
  const answer = await ask(`/${of}`);
  return answer ? ((await answer.json()) as number) : 0;
}

/** One object after another: some have recorded all they ever will when the runtime is killed. */
function bursts(): string[] {
  const paths: string[] = [];
  for (const [to, objects] of Object.entries(OBJECTS)) {
    for (let object = 0; object < objects; object += 1) {
      for (let burst = 0; burst < BURSTS_OF_OBJECT; burst += 1)
        paths.push(`/record?to=${to}&name=${to}-${object}&count=${BURST}`);
    }
  }
  // Gates among accounts, each burst with the number of its first event.
  return paths.toSorted((a, b) => order(a) - order(b)).map((path, index) => `${path}&first=${index * BURST}`);
}

function order(path: string): number {
  const [, to, object] = path.match(/name=(\w+)-(\d+)/) ?? [];
  return Number(object) / (to === "gate" ? OBJECTS.gate : OBJECTS.account);
}

/** Asks for each burst until somebody says that it was recorded. Answers how often nobody did. */
async function record(paths: string[]): Promise<number> {
  let unanswered = 0;
  for (let path = paths.shift(); path; path = paths.shift()) {
    while (!(await ask(path))) {
      unanswered += 1;
      await sleep(100);
    }
    // Slow enough for shipments to be under way all the time.
    await sleep(40);
  }
  return unanswered;
}

async function killAt(events: number): Promise<void> {
  while ((await count("arrived")) < events) await sleep(150);
  await instance.kill();
  await start(instance);
}

test(
  `${EVENTS} events arrive, none twice, and their chain is whole`,
  async () => {
    let isOver = false;
    const crons = [0, 1].map(async () => {
      while (!isOver) {
        await ask("/link");
        await sleep(500);
      }
    });
    const paths = bursts();
    const recorders = [0, 1, 2, 3].map(() => record(paths));
    for (const events of KILLS) await killAt(events);
    const unanswered = await Promise.all(recorders);
    const recorded = performance.now();
    const isInTime = () => performance.now() - recorded < IN_TIME_MS;
    while ((await count("arrived")) < EVENTS && isInTime()) await sleep(200);
    isOver = true;
    await Promise.all(crons);
    while ((await count("linked")) < EVENTS && isInTime()) await ask("/link");

    // Bursts were cut off, or the kills would have shown nothing.
    expect(unanswered.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(0);
    const marks = ((await (await ask("/marks"))?.text()) ?? "").split("\n");
    expect(marks).toHaveLength(EVENTS);
    expect(new Set(marks).size).toBe(EVENTS);
    expect(Math.max(...[...new Set(marks)].map((mark) => Number.parseInt(mark, 16)))).toBe(EVENTS - 1);
    const whole = { kind: "chain_whole", events: EVENTS, first_seq: 1, last_seq: EVENTS, unlinked: 0, checkpoints: 1 };
    expect(await (await ask("/verify"))?.json()).toMatchObject(whole);
  },
  4 * IN_TIME_MS,
);
