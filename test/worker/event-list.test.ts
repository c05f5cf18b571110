import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { eventCountsOf } from "../../src/events/event-counts.ts";
import { type EventFilter, eventListOf } from "../../src/events/event-list.ts";
import { eventStoreOf, type StoredEvent } from "../../src/events/event-store.ts";
import { EVENT_KINDS, type SecurityEvent, securityEvent } from "../../src/events/security-event.ts";
import { collector, HOUR, look, MINUTE, START } from "./support/detection.ts";

const list = eventListOf(env.EVENTS, eventCountsOf(env.EVENTS));
let stored: StoredEvent[];

/** Numbers that look like chance and are the same each time. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Six hours of events, of which some come hours late; the last batch is not counted yet. */
beforeAll(async () => {
  const draw = chance(7);
  for (let batch = 0; batch < 12; batch += 1) {
    const events = Array.from({ length: 60 }, (): SecurityEvent => {
      const late = draw(10) === 0 ? draw(5) * HOUR : 0;
      const at = START + batch * 30 * MINUTE + draw(30 * MINUTE) - late;
      const account = draw(3) === 0 ? {} : { account: `account-${draw(4)}` };
      const kind = EVENT_KINDS[draw(6)] ?? "authz_fail";
      return securityEvent({ kind, ...account }, { source: `net-${draw(3)}` }, at);
    });
    await eventStoreOf(env.EVENTS).add(events);
    if (batch < 11) await look([collector("brute_force")], START + (batch + 1) * 30 * MINUTE);
  }
  stored = await eventStoreOf(env.EVENTS).after(0, 10_000);
});

/** Every page of a list. */
async function all(filter: Omit<EventFilter, "limit">, limit: number): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  let before: string | undefined;
  do {
    const page = await list.page({ ...filter, limit, ...(before === undefined ? {} : { before }) });
    if (!page) throw new Error("no page");
    expect(page.events.length).toBeLessThanOrEqual(limit);
    events.push(...page.events);
    before = page.next;
  } while (before !== undefined);
  return events;
}

const kinds = [undefined, "authn_login_fail", "authn_login_success", "authn_token_reuse"] as const;
const times = [
  {},
  { from: START + 30_001 },
  { to: START + 2 * HOUR },
  { from: START + HOUR + 7, to: START + 3 * HOUR + 11 },
];
const filters = kinds.flatMap((kind) =>
  times.flatMap((time) =>
    [{}, { account: "account-1" }, { source: "net-2" }, { account: "account-2", source: "net-0" }].map((who) => ({
      ...(kind === undefined ? {} : { kind }),
      ...time,
      ...who,
    })),
  ),
);

describe("the pages of a list", () => {
  it.each(filters.map((filter) => [JSON.stringify(filter), filter] as const))(
    "of %s have what fits, each once",
    async (_, filter) => {
      const { kind, account, source, from = 0, to = Number.MAX_SAFE_INTEGER } = filter as EventFilter;
      // A source's list goes without what is part of every sign-in, unless it is asked for by its kind or its account.
      const routine = ["authn_token_created", "authn_login_success", "session_renewed"];
      const isLeftOut = (event: StoredEvent) =>
        source !== undefined && account === undefined && kind === undefined && routine.includes(event.kind);
      const fits = stored.filter(
        (event) =>
          (kind === undefined || event.kind === kind) &&
          (account === undefined || event.account === account) &&
          (source === undefined || event.source === source) &&
          event.at >= from &&
          event.at < to &&
          !isLeftOut(event),
      );
      const newestFirst = (a: StoredEvent, b: StoredEvent) =>
        account === undefined ? b.seq - a.seq : a.id < b.id ? 1 : -1;
      for (const limit of [3, 50, 200])
        expect(await all(filter as EventFilter, limit)).toEqual([...fits].sort(newestFirst));
    },
  );

  it("begin at nothing but what a page has given", async () => {
    for (const before of ["", "0", "-1", "1.5", "1e3", "x", "1 OR 1", stored[0]?.id ?? ""])
      expect(await list.page({ limit: 5, before })).toBeUndefined();
    for (const before of ["", "12", "x", "%", `${stored[0]?.id}x`])
      expect(await list.page({ limit: 5, before, account: "account-1" })).toBeUndefined();
  });
});
