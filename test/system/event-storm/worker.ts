import { AccountObject as Account } from "../../../src/account/account-object.ts";
import type { SecurityEvent } from "../../../src/events/security-event.ts";
import { linkEvents, setCheckpoint } from "../../../src/flows/link-events.ts";
import { type Verification, verifyEvents } from "../../../src/flows/verify-events.ts";
import { GateObject as Gate } from "../../../src/gate/gate-object.ts";
import { openService, type Service, type Visit } from "../../../src/service.ts";
import { failingOneInThree } from "./failing-database.ts";

// The product's own objects and the minute cron's own work, over a second database that fails one time in three, with a
// way to have the objects record.

// A line for each of so many events is work for whoever prints it, and nobody reads it here.
console.info = () => {};
console.log = () => {};

/** Events that one object records in one turn: its name, and the number of the first one. */
interface Burst {
  name: string;
  first: number;
  count: number;
}

const FROM = { source: "192.0.2.0/24" };
const FAILED = { kind: "authn_login_fail", factor: "pwd", reason: "wrong_password" } as const;

/** What tells one event from all others. */
function mark(number: number): string {
  return number.toString(16).padStart(12, "0");
}

function numbers({ first, count }: Burst): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

/** Each object has one of its own, so that none has to wait for long. */
function unreliableOf(env: Env): Env {
  return { ...env, EVENTS: failingOneInThree(env.EVENTS) };
}

/** Ids follow from numbers: a burst that was recorded and not acknowledged is recorded again, and has to arrive once. */
export class AccountObject extends Account {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, unreliableOf(env));
  }

  recordBurst(burst: Burst): void {
    for (const number of numbers(burst)) {
      const id = `019a0000-0000-7000-8000-${mark(number)}`;
      const event: SecurityEvent = {
        id,
        at: Date.now(),
        account: burst.name,
        address: mark(number),
        ...FAILED,
        ...FROM,
      };
      this.store.record(event);
    }
  }
}

/** Ids are random: a burst that was recorded is not recorded again. */
export class GateObject extends Gate {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, unreliableOf(env));
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS bursts (first INTEGER PRIMARY KEY)");
  }

  recordBurst(burst: Burst): void {
    const { sql } = this.ctx.storage;
    if (
      sql.exec("INSERT INTO bursts VALUES (?) ON CONFLICT DO NOTHING RETURNING first", burst.first).toArray().length < 1
    )
      return;
    for (const number of numbers(burst)) {
      const { kind: _, ...failed } = { ...FAILED, account: burst.name, address: mark(number), from: FROM };
      this.settle(crypto.randomUUID(), [], "wrong", failed);
    }
  }
}

interface Recording {
  recordBurst(burst: Burst): Promise<void>;
}

async function record(env: Env, to: string, burst: Burst): Promise<Response> {
  const objects = (to === "gate" ? env.GATES : env.ACCOUNTS) as { getByName(name: string): unknown };
  await (objects.getByName(burst.name) as Recording).recordBurst(burst);
  return new Response();
}

function serviceOf(env: Env): Service {
  const service = openService(env, () => {}, {});
  if ("problems" in service) throw new Error(service.problems.join());
  return service;
}

let cron: Service | undefined;

/** What the minute cron does for the chain. */
async function link(env: Env): Promise<Response> {
  cron ??= serviceOf(unreliableOf(env));
  const service = cron;
  const visit = { now: Date.now() } as Visit;
  const jobs = await Promise.allSettled([linkEvents(service, visit), setCheckpoint(service, visit)]);
  return Response.json(jobs.map(({ status }) => status));
}

async function verify(env: Env): Promise<Response> {
  const next = (from?: Parameters<typeof verifyEvents>[2]): Promise<Verification> =>
    verifyEvents(serviceOf(env), { now: Date.now() } as Visit, from);
  let outcome = await next();
  while (outcome.kind === "chain_goes_on") outcome = await next(outcome.from);
  return Response.json(outcome);
}

/** The marks of everything that has arrived, one a line. */
async function marks(env: Env): Promise<Response> {
  const query = "SELECT detail ->> 'address' AS mark FROM events WHERE seq > ? ORDER BY seq LIMIT 20000";
  const lines: string[] = [];
  for (let read = -1; read !== 0; ) {
    const { results } = await env.EVENTS.prepare(query).bind(lines.length).all<{ mark: string }>();
    read = results.length;
    for (const { mark: line } of results) lines.push(line);
  }
  return new Response(lines.join("\n"));
}

async function count(env: Env, query: string): Promise<Response> {
  return Response.json((await env.EVENTS.prepare(query).first("n")) ?? 0);
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams: asked } = new URL(request.url);
    const [to = "", name = ""] = [asked.get("to") ?? "", asked.get("name") ?? ""];
    if (pathname === "/record")
      return record(env, to, { name, first: Number(asked.get("first")), count: Number(asked.get("count")) });
    if (pathname === "/link") return link(env);
    if (pathname === "/verify") return verify(env);
    if (pathname === "/marks") return marks(env);
    if (pathname === "/arrived") return count(env, "SELECT max(seq) AS n FROM events");
    if (pathname === "/linked") return count(env, "SELECT max(last_seq) AS n FROM event_chain");
    return new Response(null, { status: 404 });
  },
} satisfies ExportedHandler<Env>;
