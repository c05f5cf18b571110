import { Worker } from "node:worker_threads";

/** What became of the sign-ins of a storm. */
export interface StormAnswers {
  waves: number;
  /** How many answers had which status. */
  statuses: Record<number, number>;
  /** Answers of 503 that did not say when to come back. */
  withoutRetryAfter: number;
}

/** In a thread of its own, so that sending it does not slow down whoever measures. */
const CODE = `
const { parentPort, workerData } = require("node:worker_threads");
const { Agent, request } = require("node:http");
const { origin, parallel, run } = workerData;
const agent = new Agent({ keepAlive: true, maxSockets: parallel });
const told = { waves: 0, statuses: {}, withoutRetryAfter: 0 };
let going = true;
let sent = 0;
parentPort.on("message", () => { going = false; });
const signIn = () => new Promise((resolve, reject) => {
  const n = sent++;
  const body = JSON.stringify({ email: "storm" + run + "." + n + "@example.com", password: "an ordinary long password" });
  const source = "100." + (64 + (n >> 16)) + "." + ((n >> 8) & 255) + "." + (n & 255);
  const headers = { "Content-Type": "application/json", "Content-Length": body.length, "CF-Connecting-IP": source };
  const sending = request(origin + "/auth/login", { method: "POST", agent, headers }, (answer) => {
    told.statuses[answer.statusCode] = (told.statuses[answer.statusCode] ?? 0) + 1;
    if (answer.statusCode === 503 && !/^[1-9]\\d*$/.test(answer.headers["retry-after"] ?? "")) told.withoutRetryAfter += 1;
    answer.resume();
    answer.on("end", resolve);
  });
  sending.on("error", reject);
  sending.end(body);
});
(async () => {
  while (going) {
    await Promise.all(Array.from({ length: parallel }, signIn));
    told.waves += 1;
  }
  agent.destroy();
  parentPort.postMessage(told);
  parentPort.close();
})();
`;

let runs = 0;

/**
 * Sends so many sign-ins at the same moment, each from a source and for an address of its own, and again when all are
 * answered, until `during` is over.
 */
export async function inStorm<T>(
  origin: string,
  parallel: number,
  during: () => Promise<T>,
): Promise<{ storm: StormAnswers; result: T }> {
  runs += 1;
  const thread = new Worker(CODE, { eval: true, workerData: { origin, parallel, run: runs } });
  const ended = new Promise<StormAnswers>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  try {
    const result = await during();
    thread.postMessage("enough");
    return { storm: await ended, result };
  } finally {
    await thread.terminate();
  }
}
