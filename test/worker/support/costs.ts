import { countingBindings } from "../../support/counting.ts";
import { type Answer, type Call, call } from "../../support/in-worker.ts";
import { alarmsSet, rowsWritten } from "../../support/rows-written.ts";
import { shipEverything } from "./canaries.ts";
import { allIsTold, listedSessions } from "./ended-sessions.ts";

/** What a request has cost. */
export interface Cost {
  answer: Answer;
  /** Round trips to storage, one after another, up to the answer. */
  sequential: number;
  /** What they were, by name. */
  calls: string[];
  /** Rows written in objects and in D1, by the work after the answer too, and by objects that tell of ended sessions. */
  rows: { objects: number; d1: number };
  /** Alarms set: a row each beside those, for events that are then shipped. */
  alarms: number;
}

/**
 * Counts what a request does to storage with a warm key ring. `settings` are bindings besides the counted ones; `after`
 * are calls that the answer does not wait for.
 */
export async function costOf(
  request: (options: Call) => Promise<Answer>,
  { settings = {}, after = [] }: { settings?: object; after?: string[] } = {},
): Promise<Cost> {
  await call("/.well-known/jwks.json");
  const counted = countingBindings(after);
  const bindings = { ...counted.bindings, ...settings };
  const found: Omit<Cost, "rows" | "alarms">[] = [];
  await allIsTold();
  // Nothing of before is shipped in between.
  await shipEverything();
  const { size: listed } = await listedSessions();
  let objects = 0;
  const work = async () => {
    let finish = async () => {};
    const keepTail = (tail: () => Promise<void>) => {
      finish = tail;
    };
    const answer = await request({ bindings, keepTail });
    found.push({ answer, sequential: counted.sequential(), calls: counted.names().sort() });
    counted.release();
    await finish();
    await allIsTold();
  };
  const alarms = await alarmsSet(async () => {
    objects = await rowsWritten(work);
  });
  const [cost] = found;
  if (!cost) throw new Error("nothing was asked");
  const told = (await listedSessions()).size - listed;
  return { ...cost, alarms, rows: { objects, d1: counted.d1Rows() + told } };
}

/** The numbers of a cost: round trips one after another, rows in objects, rows in D1. */
export function numbers({ answer: { status }, sequential, rows }: Cost) {
  return { status, sequential, objects: rows.objects, d1: rows.d1 };
}
