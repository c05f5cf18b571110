import { TALLY_TOLD_AT } from "../../../src/event-policy.ts";
import type { StoredEvent } from "../../../src/events/event-store.ts";
import { isRoutine, type SecurityEvent } from "../../../src/events/security-event.ts";
import { digits, Random } from "./random.ts";
import { type Client, DAY, HOUR, MINUTE, SECOND } from "./world.ts";

/** Something that somebody does. People and attackers do the same things; nothing in them says who it is. */
export type Act = { at: number; client: Client } & (
  | { does: "password"; address: string; account?: string; right: boolean; status?: "closed"; readsMail?: true }
  | { does: "factor"; address: string; account: string; factor: "totp" | "passkey" | "recovery_code"; right: boolean }
  | { does: "ask_reset"; address: string; account: string }
  | { does: "use_reset"; address: string; account: string }
  | { does: "reuse_token" | "lose_token"; account: string }
);

type Fields = Partial<SecurityEvent> & Pick<SecurityEvent, "kind">;

/** Counts of a rolling window. */
interface Rolling {
  times: number[];
}

/** What the gates say once at once, and then in one sentence (the catalogue of events: a window of a minute). */
interface TallyWindow {
  closesAt: number;
  fields: Fields;
  client: Client;
  count: number;
  addresses: Set<string>;
  told: number;
}

const TALLY_MS = MINUTE;

/**
 * What the service would record of acts, in the shapes of its events: throttles with the numbers of `policy.ts`, budgets
 * of second factors, tallies of the gates. A model of it and not the service itself, so that a fortnight of 5,000 people
 * takes a second; the shapes are those of the catalogue.
 */
export class ServiceModel {
  #events: SecurityEvent[] = [];
  #rolling = new Map<string, Rolling>();
  #pairs = new Map<string, { inARow: number; lastAt: number }>();
  #challenges = new Map<string, { at: number; left: number }[]>();
  #streaks = new Map<string, { wrong: number; abandoned: number; since: number[] }>();
  #tallies: TallyWindow[] = [];
  #open = new Map<string, TallyWindow>();

  /** Events in the order of their times. */
  static record(acts: readonly Act[]): SecurityEvent[] {
    const model = new ServiceModel();
    for (const act of acts) model.#take(act);
    model.#closeTallies(Number.POSITIVE_INFINITY);
    return model.#events;
  }

  #take(act: Act) {
    this.#closeTallies(act.at);
    if (act.does === "password") this.#password(act);
    else if (act.does === "factor") this.#factor(act);
    else if (act.does === "ask_reset") this.#askReset(act);
    else if (act.does === "use_reset") this.#useReset(act);
    else if (act.does === "reuse_token")
      this.#token(act, { kind: "authn_token_reuse", reason: "refresh_token_reused" });
    else this.#token(act, { kind: "session_expired", reason: "refresh_token_lost" });
  }

  #token(act: Act & { account: string }, fields: Fields) {
    this.#add(act, { ...fields, factor: "refresh_token", account: act.account });
  }

  #password(act: Extract<Act, { does: "password" }>) {
    const { at, client, address, account, right, status } = act;
    const refused = this.#throttle(act);
    if (refused)
      return this.#tally(
        act,
        { kind: "excess_rate_limit_exceeded", reason: refused.reason, factor: "pwd" },
        refused.gate,
        address,
      );
    if (right && account) return this.#rightPassword(act, account);
    const pair = `${address} ${client.source} ${client.host}`;
    const { inARow = 0 } = this.#pairs.get(pair) ?? {};
    this.#pairs.set(pair, { inARow: inARow + 1, lastAt: at });
    if (!client.recognised) {
      this.#count(`host ${client.source} ${client.host}`, at, 10 * MINUTE);
      this.#count(`net ${client.source}`, at, 10 * MINUTE);
      this.#count(`address ${address}`, at, 365 * DAY);
    }
    const gate = `unknown ${client.source} ${client.host}`;
    if (!account)
      return this.#tally(act, { kind: "authn_login_fail", reason: "unknown_email", factor: "pwd" }, gate, address);
    const reason = status === "closed" ? "account_not_active" : "wrong_password";
    this.#add(act, { kind: "authn_login_fail", reason, factor: "pwd", account, address });
  }

  /** The numbers of `policy.ts`: pair, source, network, address. */
  #throttle({ at, client, address }: Extract<Act, { does: "password" }>): { reason: string; gate: string } | undefined {
    const pair = this.#pairs.get(`${address} ${client.source} ${client.host}`);
    const over = (pair?.inARow ?? 0) - 5;
    const wait = over < 0 ? 0 : Math.min(HOUR, 30 * SECOND * 2 ** over);
    if (pair && at < pair.lastAt + wait) return { reason: "pair_throttled", gate: `pair ${address}` };
    if (client.recognised) return undefined;
    const host = `host ${client.source} ${client.host}`;
    if (this.#number(host, at, 10 * MINUTE) >= 20) return { reason: "source_throttled", gate: host };
    const net = `net ${client.source}`;
    if (this.#number(net, at, 10 * MINUTE) >= 100) return { reason: "network_throttled", gate: net };
    if (this.#number(`address ${address}`, at, 365 * DAY) > 20)
      return { reason: "address_unproven", gate: `address ${address}` };
    return undefined;
  }

  #rightPassword(act: Extract<Act, { does: "password" }>, account: string) {
    const { at, address, client } = act;
    const streak = this.#streak(account);
    const key = challengeKey(account, client);
    const live = (this.#challenges.get(key) ?? []).filter((challenge) => at - challenge.at < 5 * MINUTE);
    if (!client.recognised && (streak.wrong >= 10 || streak.abandoned >= 5)) {
      this.#add(act, { kind: "authn_login_fail", reason: "mailbox_unproven", factor: "pwd", account, address });
      // Whoever can read the mail follows its link and goes on.
      if (!act.readsMail) return;
      this.#streaks.delete(account);
    }
    if (!client.recognised) this.#abandon(act, account);
    this.#challenges.set(key, [...live, { at, left: 5 }]);
    this.#add(act, { kind: "authn_token_created", reason: "challenge", factor: "pwd", account, address });
  }

  /** A stranger's challenges of before, seen when they are swept. */
  #abandon(act: Act, account: string) {
    const streak = this.#streak(account);
    const expired = streak.since.filter((at) => act.at - at >= 5 * MINUTE);
    streak.since = [...streak.since.filter((at) => act.at - at < 5 * MINUTE), act.at];
    for (const opened of expired) {
      this.#add(act, { kind: "authn_login_fail", reason: "challenge_abandoned", account, about: { opened } });
    }
    if (streak.abandoned < 5 && streak.abandoned + expired.length >= 5)
      this.#add(act, { kind: "authn_login_lock", reason: "proof_mode", account });
    streak.abandoned += expired.length;
  }

  #factor(act: Extract<Act, { does: "factor" }>) {
    const { at, client, account, address, factor, right } = act;
    const key = challengeKey(account, client);
    const live = (this.#challenges.get(key) ?? []).filter(
      (challenge) => at - challenge.at < 5 * MINUTE && challenge.left > 0,
    );
    const challenge = live.at(-1);
    if (!challenge) return;
    const streak = this.#streak(account);
    if (right) return this.#signIn(act, streak.wrong > 0);
    challenge.left -= 1;
    streak.since = [];
    if (!client.recognised && factor === "totp" && this.#number(`pot ${account}`, at, HOUR) >= 10)
      return this.#add(act, { kind: "authn_login_fail_max", reason: "second_factor_budget_spent", factor, account });
    this.#count(`pot ${account}`, at, HOUR);
    streak.wrong += 1;
    const reason = { totp: "wrong_code", passkey: "wrong_assertion", recovery_code: "wrong_recovery_code" }[factor];
    this.#add(act, { kind: "authn_login_fail", reason, factor, account, address });
    if (!client.recognised && streak.wrong === 10)
      this.#add(act, { kind: "authn_login_lock", reason: "proof_mode", account });
  }

  #signIn(act: Extract<Act, { does: "factor" }>, afterFail: boolean) {
    const { client, account, address, factor, at } = act;
    const kind = afterFail ? "authn_login_successafterfail" : "authn_login_success";
    this.#add(act, { kind, factor, account, address, session: digits(`session ${account} ${at}`).slice(0, 22) });
    this.#streaks.delete(account);
    this.#challenges.delete(challengeKey(account, client));
    this.#pairs.delete(`${address} ${client.source} ${client.host}`);
    this.#rolling.delete(`address ${address}`);
  }

  #askReset(act: Extract<Act, { does: "ask_reset" }>) {
    const { at, client, address, account } = act;
    const [host, net, box] = [`mails ${client.source} ${client.host}`, `mails ${client.source}`, `mails ${address}`];
    const limits: [string, number][] = [
      [host, 10],
      [net, 50],
      [box, 3],
    ];
    const spent = limits.find(([key, limit]) => this.#number(key, at, HOUR) >= limit);
    if (spent)
      return this.#tally(act, { kind: "excess_rate_limit_exceeded", reason: "mails_throttled" }, spent[0], address);
    for (const [key] of limits) this.#count(key, at, HOUR);
    this.#add(act, { kind: "authn_token_created", reason: "reset_link", factor: "mail_link", account, address });
  }

  /** The mailbox is proven: what was held against its address from there is forgotten. */
  #useReset(act: Extract<Act, { does: "use_reset" }>) {
    this.#pairs.delete(`${act.address} ${act.client.source} ${act.client.host}`);
    this.#rolling.delete(`address ${act.address}`);
    this.#add(act, { kind: "authn_password_change", reason: "password_reset", account: act.account });
  }

  #streak(account: string) {
    const streak = this.#streaks.get(account) ?? { wrong: 0, abandoned: 0, since: [] };
    this.#streaks.set(account, streak);
    return streak;
  }

  #number(key: string, at: number, windowMs: number): number {
    return (this.#rolling.get(key)?.times ?? []).filter((time) => time > at - windowMs).length;
  }

  #count(key: string, at: number, windowMs: number) {
    const times = (this.#rolling.get(key)?.times ?? []).filter((time) => time > at - windowMs);
    this.#rolling.set(key, { times: [...times, at].slice(-101) });
  }

  /** The first of a window is an event; the others are counted until it closes. */
  #tally(act: Act, fields: Fields, gate: string, address: string) {
    const key = `${fields.kind} ${fields.reason} ${gate}`;
    const open = this.#open.get(key);
    if (open) {
      const before = open.addresses.size;
      open.count += 1;
      open.addresses.add(address);
      if (open.addresses.size > before && TALLY_TOLD_AT.includes(open.addresses.size)) this.#tell(open, act.at);
      return;
    }
    this.#add(act, { ...fields, address });
    const counted = { count: 0, addresses: new Set<string>(), told: 0 };
    const window = { closesAt: act.at + TALLY_MS, fields, client: act.client, ...counted };
    this.#open.set(key, window);
    this.#tallies.push(window);
  }

  #closeTallies(now: number) {
    while (this.#tallies[0] && this.#tallies[0].closesAt <= now) {
      const closed = this.#tallies.shift() as TallyWindow;
      for (const [key, window] of this.#open) if (window.closesAt === closed.closesAt) this.#open.delete(key);
      this.#tell(closed, closed.closesAt);
    }
  }

  /** What was counted since something was told last, with the addresses that are new in its minute. */
  #tell(window: TallyWindow, at: number) {
    const { fields, client, count, addresses, told } = window;
    if (count === 0) return;
    const fresh = [...addresses].slice(told);
    const only = fresh.length === 1 && (count === 1 || told === 0) ? { address: fresh[0] as string } : {};
    const about = told > 0 ? { about: { addresses_of_minute: addresses.size } } : {};
    this.#add({ at, client }, { ...fields, ...only, ...about, count, addresses: fresh.length });
    window.count = 0;
    window.told = addresses.size;
  }

  #add({ at, client }: Pick<Act, "at" | "client">, fields: Fields) {
    const { source, country, asn, place, agent } = client;
    this.#events.push({
      id: "",
      at: Math.round(at),
      ...fields,
      source,
      country,
      asn,
      agent,
      ...(place ? { place } : {}),
    });
  }
}

function challengeKey(account: string, { agent }: Client): string {
  return `${account} ${agent}`;
}

/**
 * Events as they arrive: everyday ones half a minute late, others a second, one in two hundred minutes late, because its
 * object's shipments failed.
 */
export function arrivals(events: readonly SecurityEvent[], seed: string): (StoredEvent & { arrivesAt: number })[] {
  const random = new Random(`arrivals ${seed}`);
  return events
    .map((event) => {
      const delay = random.chance(0.005) ? random.between(MINUTE, 10 * MINUTE) : (isRoutine(event) ? 30 : 1) * SECOND;
      return { ...event, seq: 0, arrivesAt: event.at + delay + random.between(0, 300) };
    })
    .sort((a, b) => a.arrivesAt - b.arrivesAt)
    .map((event, index) => ({ ...event, id: String(index), seq: index + 1 }));
}
