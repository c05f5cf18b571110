import { countingBindings } from "../../support/counting.ts";
import { type Answer, type Call, call } from "../../support/in-worker.ts";
import { rowsWritten } from "../../support/rows-written.ts";
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
  const found: Omit<Cost, "rows">[] = [];
  await allIsTold();
  const { size: listed } = await listedSessions();
  const objects = await rowsWritten(async () => {
    let finish = async () => {};
    const keepTail = (tail: () => Promise<void>) => {
      finish = tail;
    };
    const answer = await request({ bindings, keepTail });
    found.push({ answer, sequential: counted.sequential(), calls: counted.names().sort() });
    counted.release();
    await finish();
    await allIsTold();
  });
  const [cost] = found;
  if (!cost) throw new Error("nothing was asked");
  const told = (await listedSessions()).size - listed;
  return { ...cost, rows: { objects, d1: counted.d1Rows() + told } };
}

/** The numbers of a cost: round trips one after another, rows in objects, rows in D1. */
export function numbers({ answer: { status }, sequential, rows }: Cost) {
  return { status, sequential, objects: rows.objects, d1: rows.d1 };
}
