import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Json, logIn, newPerson, newSource, type Person, post, verifiedPerson } from "../support/client.ts";
import { DirectInstance } from "../support/direct-instance.ts";
import { median } from "../support/medians.ts";

const SAMPLES = 200;
/** How far the median of known addresses may lie from that of unknown ones. */
const TOLERANCE = 0.05;
/**
 * A refusal takes a few milliseconds, and a busy machine may move a median of them by more than that. What tells known
 * from unknown addresses moves it in every round; what chance does, hardly in all of them.
 */
const ROUNDS = 3;
const WRONG = "not the right password";

/** A siteverify that passes everybody. */
const siteverify = createServer((request, response) => {
  request.resume().on("end", () => response.end('{"success":true}'));
});
const instance = new DirectInstance();
let checks = 0;
const botCheck = () => ({ proof: { kind: "turnstile", token: `human ${++checks}` } });

beforeAll(async () => {
  await once(siteverify.listen(0, "localhost"), "listening");
  const { port } = siteverify.address() as AddressInfo;
  await instance.start({
    TURNSTILE_SITE_KEY: "0x4AAAsite",
    TURNSTILE_SECRET: "0x4AAAsecret",
    TURNSTILE_VERIFY_URL: `http://localhost:${port}/`,
  });
}, 180_000);
afterAll(async () => {
  await instance.end();
  siteverify.closeAllConnections();
  siteverify.close();
});

/** A state of the throttles. `bearable`: how many wrong passwords one address takes before it is in another state. */
interface State {
  name: string;
  status: number;
  bearable: number;
  enter(person: Person): Promise<void>;
  more?(): Json;
  /** Whether who asks is always the same source; otherwise each try has one of its own. */
  isOneSource?: true;
}

const wrongly = (person: Person, source = newSource(), more: Json = {}) =>
  logIn({ ...person, password: WRONG, source }, more, { patient: false });

async function times(count: number, work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < count; i += 1) await work();
}

const besiege = (person: Person) => times(20, () => wrongly(person));
const STATES: State[] = [
  { name: "free", status: 401, bearable: 18, enter: async () => {} },
  {
    name: "pair throttled",
    status: 429,
    // Well within the half minute that the wait lasts.
    bearable: 50,
    isOneSource: true,
    enter: (person) => times(9, () => wrongly(person, person.source)),
  },
  {
    name: "source throttled",
    status: 429,
    bearable: SAMPLES,
    isOneSource: true,
    async enter({ source }) {
      await times(20, () => post("/auth/login", { email: 1 }, { source }));
      // Malformed bodies are counted behind their answers.
      await sleep(300);
    },
  },
  { name: "proof required", status: 403, bearable: SAMPLES, enter: besiege },
  { name: "proof required, with a bot check", status: 401, bearable: 70, enter: besiege, more: botCheck },
  {
    name: "closed",
    status: 429,
    bearable: SAMPLES,
    async enter(person) {
      await besiege(person);
      await times(80, () => wrongly(person, newSource(), botCheck()));
    },
  },
];

/** How long one wrong password takes, milliseconds. */
async function timeOf({ status, more, isOneSource }: State, person: Person): Promise<number> {
  const started = performance.now();
  const answer = await wrongly(person, isOneSource ? person.source : newSource(), more?.());
  const took = performance.now() - started;
  expect(answer.status, answer.text).toBe(status);
  return took;
}

/** How far apart the medians are, as a share: both kinds in turns, each first as often as the other. */
async function differenceIn(state: State): Promise<number> {
  const found = { known: [] as number[], unknown: [] as number[] };
  for (let left = SAMPLES; left > 0; left -= state.bearable) {
    const people = { known: await verifiedPerson(), unknown: newPerson() };
    for (const person of Object.values(people)) await state.enter(person);
    for (let i = 0; i < Math.min(left, state.bearable); i += 1) {
      const order = i % 2 === 0 ? (["known", "unknown"] as const) : (["unknown", "known"] as const);
      for (const kind of order) found[kind].push(await timeOf(state, people[kind]));
    }
  }
  return Math.abs(median(found.known) / median(found.unknown) - 1);
}

describe("a wrong password takes as long for an address with an account as for one without", () => {
  it.each(STATES.map((state) => [state.name, state] as const))(
    "while %s",
    async (_, state) => {
      const differences: number[] = [];
      while (differences.length < ROUNDS && !differences.some((one) => one <= TOLERANCE)) {
        differences.push(await differenceIn(state));
      }
      expect(Math.min(...differences), differences.join(", ")).toBeLessThanOrEqual(TOLERANCE);
    },
    600_000,
  );
});
