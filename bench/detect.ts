// How well the detectors do: a seeded fortnight of 5,000 people, with each attack at three strengths, and without any.
// What counts as right, wrong and found is written down in test/attack/traffic/evaluate.ts.
//
//   npm run detect [-- --json FILE] [--seeds tuning|report]
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { PATTERNS, type Pattern } from "../src/events/detectors/detector.ts";
import { STRENGTHS, type Strength } from "../test/attack/traffic/attacks.ts";
import {
  alertsIn,
  attacksOf,
  BOUNDS,
  type Fortnight,
  newFortnight,
  precisionOf,
  recallOf,
  type Score,
  SEEDS,
  SEEDS_WITH_ATTACKS,
  scoreOf,
  sum,
} from "../test/attack/traffic/evaluate.ts";

/** One fortnight that is shown to the detectors. */
interface Run {
  seed: string;
  strength: Strength | "none";
  on: "subjects" | "service";
}

interface Result extends Run {
  scores: Record<Pattern, Score>;
}

/** As many at a time as the smallest machines have cores. */
const WORKERS = 2;

const fortnights = new Map<string, Fortnight>();

if (isMainThread) await main();
else parentPort?.on("message", (run: Run) => parentPort?.postMessage(resultOf(run)));

function resultOf(run: Run): Result {
  const fortnight = fortnights.get(run.seed) ?? newFortnight(run.seed);
  fortnights.set(run.seed, fortnight);
  const attacks = run.strength === "none" ? [] : attacksOf(fortnight, run.strength, run.on);
  const alerts = alertsIn(fortnight, attacks);
  const scores = Object.fromEntries(PATTERNS.map((pattern) => [pattern, scoreOf(pattern, alerts, attacks)]));
  return { ...run, scores: scores as Record<Pattern, Score> };
}

async function main(): Promise<void> {
  const { json, seeds } = parseArgs({
    options: { json: { type: "string" }, seeds: { type: "string", default: "report" } },
  }).values;
  if (seeds !== "report" && seeds !== "tuning") throw new Error('--seeds takes "report" or "tuning"');
  const results = await resultsOf(runsOf(SEEDS[seeds]));
  const rows = PATTERNS.flatMap((detector) =>
    STRENGTHS.map((strength) => {
      const score = sum(results.filter((run) => run.strength === strength).map(({ scores }) => scores[detector]));
      return { detector, strength, precision: precisionOf(score), recall: recallOf(score), score };
    }),
  );
  const clean = results.filter(({ strength }) => strength === "none").flatMap(({ scores }) => Object.values(scores));
  const cleanAlerts = sum(clean).wrong;
  print(rows, cleanAlerts, SEEDS[seeds]);
  if (json)
    writeFileSync(
      json,
      `${JSON.stringify(
        rows.map(({ score: _, ...row }) => row),
        undefined,
        2,
      )}\n`,
    );
  const isKept = ({ strength, precision, recall }: (typeof rows)[number]) =>
    strength === "low" || (precision >= BOUNDS.precision && recall >= BOUNDS.recall);
  process.exitCode = rows.every(isKept) && cleanAlerts === 0 ? 0 : 1;
}

function runsOf(seeds: readonly string[]): Run[] {
  return seeds.flatMap((seed, index): Run[] => [
    { seed, strength: "none", on: "subjects" },
    ...STRENGTHS.slice(index < SEEDS_WITH_ATTACKS ? 0 : STRENGTHS.length).flatMap((strength): Run[] => [
      { seed, strength, on: "subjects" },
      { seed, strength, on: "service" },
    ]),
  ]);
}

/** Every worker takes the next run when it is done with one, until there are none. */
async function resultsOf(runs: Run[]): Promise<Result[]> {
  const waiting = [...runs];
  const work = async (): Promise<Result[]> => {
    const worker = new Worker(import.meta.filename);
    const done: Result[] = [];
    for (let run = waiting.shift(); run; run = waiting.shift()) done.push(await resultIn(worker, run));
    await worker.terminate();
    return done;
  };
  return (await Promise.all(Array.from({ length: WORKERS }, work))).flat();
}

function resultIn(worker: Worker, run: Run): Promise<Result> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.postMessage(run);
  });
}

function print(
  rows: { detector: string; strength: string; precision: number; recall: number; score: Score }[],
  cleanAlerts: number,
  seeds: readonly string[],
) {
  const line = (...[detector, ...others]: string[]) =>
    console.log((detector ?? "").padEnd(24) + others.map((other) => other.padStart(10)).join(""));
  line("detector", "strength", "precision", "recall", "attacks", "alerts", "wrong");
  for (const { detector, strength, precision, recall, score } of rows) {
    const { attacks, right, wrong } = score;
    line(detector, strength, precision.toFixed(3), recall.toFixed(3), `${attacks}`, `${right + wrong}`, `${wrong}`);
  }
  console.log(`fortnights without attacks: ${cleanAlerts} alerts in ${seeds.length} (seeds ${seeds.join(", ")})`);
}
