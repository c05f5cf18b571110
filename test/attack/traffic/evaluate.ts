import { type Alert, alertOf } from "../../../src/events/alert.ts";
import { merged } from "../../../src/events/detection.ts";
import { DETECTORS } from "../../../src/events/detectors/all.ts";
import { PATTERNS, type Pattern } from "../../../src/events/detectors/detector.ts";
import type { StoredEvent } from "../../../src/events/event-store.ts";
import { type Attack, newAttack, type Strength } from "./attacks.ts";
import { normalFortnight } from "./fortnight.ts";
import { Random } from "./random.ts";
import { type Act, arrivals, ServiceModel } from "./service-model.ts";
import { DAY, DAYS, HOUR, MINUTE, newWorld, SECOND, START, type World } from "./world.ts";

/** Seeds that thresholds were chosen with, and others that they are reported with. */
export const SEEDS = { tuning: ["t1", "t2", "t3"], report: ["walnut", "xenon", "yew"] } as const;
/** The last seeds are shown without attacks only: a run of each takes seconds. */
export const SEEDS_WITH_ATTACKS = 2;

/** A fortnight without attacks. */
export interface Fortnight {
  seed: string;
  world: World;
  normal: Act[];
}

export function newFortnight(seed: string): Fortnight {
  const world = newWorld(seed);
  return { seed, world, normal: normalFortnight(world, seed).sort((a, b) => a.at - b.at) };
}

/** Patterns whose subject is the whole service: they have runs of their own, one attack at a time. */
const OF_SERVICE: readonly Pattern[] = ["slow_password_spraying", "failure_ratio"];
/** Attacks of one pattern in one run. Whom a traveller's attacker picks may be new here, so that chance has more of a say. */
const ATTACKS_EACH = 12;
const TRAVELS_EACH = 24;

/** Attacks of one strength: those on subjects side by side, or those on the service one after the other. */
export function attacksOf(
  { seed, world, normal }: Fortnight,
  strength: Strength,
  on: "subjects" | "service",
): Attack[] {
  const random = new Random(`attacks ${seed} ${strength} ${on}`);
  const newOne = (pattern: Pattern, at: number, n: number) =>
    newAttack(pattern, { random, world, normal, strength, at, name: `${seed} ${strength} ${pattern} ${n}` });
  if (on === "service") {
    const slow = [4, 8, 12].map((day) => newOne("slow_password_spraying", START + day * DAY, day));
    const ratio = [6, 6.6, 7.3, 10, 10.5, 11.2].map((day) =>
      newOne("failure_ratio", START + day * DAY + random.between(0, 3) * HOUR, day),
    );
    return [...slow, ...ratio];
  }
  return PATTERNS.filter((pattern) => !OF_SERVICE.includes(pattern)).flatMap((pattern) =>
    // Not in the last day, so that they end before the fortnight does; travels once habits are known.
    Array.from({ length: pattern === "impossible_travel" ? TRAVELS_EACH : ATTACKS_EACH }, (_, n) => {
      const from = pattern === "impossible_travel" ? 10 : 2;
      return newOne(pattern, START + random.between(from, DAYS - 1.5) * DAY, n);
    }),
  );
}

/** The alerts of a fortnight, with detectors that run every so often: the cron does every minute. */
export function alertsIn({ seed, normal }: Fortnight, attacks: readonly Attack[], everyMs = MINUTE): Alert[] {
  const acts = [...normal, ...attacks.flatMap((attack) => attack.acts)].sort((a, b) => a.at - b.at);
  return alertsOf(arrivals(ServiceModel.record(acts), seed), everyMs);
}

function alertsOf(events: readonly (StoredEvent & { arrivesAt: number })[], everyMs: number): Alert[] {
  const states = new Map<string, unknown>(DETECTORS.map(({ pattern, empty }) => [pattern, empty]));
  const newest = new Map<string, Alert>();
  const alerts = new Map<string, Alert>();
  let next = 0;
  for (let now = START - DAY; now < START + (DAYS + 1) * DAY; now += everyMs) {
    const first = next;
    while ((events[next]?.arrivesAt ?? Number.POSITIVE_INFINITY) <= now) next += 1;
    const page = events.slice(first, next);
    const findings = DETECTORS.flatMap((detector) => {
      const { state, findings: found } = detector.step(states.get(detector.pattern), page, now);
      states.set(detector.pattern, state);
      return found;
    });
    for (const finding of merged(findings)) {
      const key = `${finding.pattern} ${finding.subject}`;
      const { alert } = alertOf(newest.get(key), finding, `${key} ${now}`, now);
      newest.set(key, alert);
      alerts.set(alert.id, alert);
    }
  }
  return [...alerts.values()];
}

/**
 * What an attack of one pattern shows of another, and rightly so:
 * - a leaked list is spraying until it has thirty pairs, and a list of names with many strangers in it is like a leaked one;
 * - an attack from many groups begins with a few of them, and a group of it may try ten times by itself;
 * - an attack from three or four groups closes the address to its owner too, whose tries on two networks make it five groups;
 * - whoever guesses at second factors has the right password and no second factor;
 * - whoever tries a list has the right password of some account, and no second factor;
 * - many accounts that fail once or twice are that for the whole service too, however fast and from wherever, and a share
 *   of all tries.
 * An alert for such a reason about the attack's own subject, about an account of which it had the password, or about the
 * service, is neither right nor wrong.
 */
const SHOWS_TOO: Partial<Record<Pattern, Pattern[]>> = {
  credential_stuffing: ["password_spraying", "slow_password_spraying", "failure_ratio", "second_factor_unproven"],
  password_spraying: ["credential_stuffing", "slow_password_spraying", "failure_ratio", "second_factor_unproven"],
  slow_password_spraying: ["second_factor_unproven"],
  distributed_brute_force: ["brute_force"],
  brute_force: ["distributed_brute_force"],
  second_factor_guessing: ["second_factor_unproven"],
  recovery_code_guessing: ["second_factor_unproven"],
  failure_ratio: ["slow_password_spraying", "second_factor_unproven"],
};

/** How well one detector did in some runs. */
export interface Score {
  attacks: number;
  found: number;
  right: number;
  wrong: number;
}

/**
 * An alert is right when an attack of its pattern names its subject and goes on while the alert does; an attack is found
 * when there is such an alert. An alert that no attack accounts for is wrong, whatever the run was about.
 */
export function scoreOf(pattern: Pattern, alerts: readonly Alert[], attacks: readonly Attack[]): Score {
  const own = attacks.filter((attack) => attack.pattern === pattern);
  const others = attacks.filter((attack) => SHOWS_TOO[attack.pattern]?.includes(pattern));
  const raised = alerts.filter((alert) => alert.pattern === pattern);
  const right = raised.filter((alert) => own.some((attack) => isAbout(alert, attack)));
  const wrong = raised.filter((alert) => !right.includes(alert) && !others.some((attack) => isAbout(alert, attack)));
  const found = own.filter((attack) =>
    raised.some((alert) => isAbout(alert, attack) && alert.openedAt <= attack.to + HOUR),
  );
  return { attacks: own.length, found: found.length, right: right.length, wrong: wrong.length };
}

function isAbout({ pattern, subject, openedAt, firstAt, lastAt }: Alert, attack: Attack): boolean {
  const isService = OF_SERVICE.includes(pattern);
  const names =
    [...attack.subjects, ...guessedBy(attack, { pattern, firstAt, lastAt })].includes(subject) ||
    (subject === "service" && isService);
  // An alert about the service begins with what is usual; it is the attack's if it was opened while that was in its window.
  const from = isService ? openedAt : firstAt;
  const slackMs = pattern === "slow_password_spraying" ? DAY : HOUR;
  return names && from <= attack.to + slackMs && lastAt >= attack.from;
}

/** Accounts of which an attack showed the password while the alert lasts, as subjects of the one pattern that is about that. */
function guessedBy({ acts }: Attack, { pattern, firstAt, lastAt }: Pick<Alert, "pattern" | "firstAt" | "lastAt">) {
  if (pattern !== "second_factor_unproven") return [];
  return acts.flatMap((act) => {
    const isGuess = act.does === "password" && act.right && act.at >= firstAt - SECOND && act.at <= lastAt + SECOND;
    return isGuess ? [`account:${act.account}`] : [];
  });
}

export function sum(scores: readonly Score[]): Score {
  return scores.reduce((a, b) => ({
    attacks: a.attacks + b.attacks,
    found: a.found + b.found,
    right: a.right + b.right,
    wrong: a.wrong + b.wrong,
  }));
}

/** Of no alert at all none is wrong. A detector that says nothing fails by its recall. */
export const precisionOf = ({ right, wrong }: Score): number => (right + wrong === 0 ? 1 : right / (right + wrong));
/** Where nobody has attacked nothing has been shown: 0, so that a run that has lost its attacks passes no bound. */
export const recallOf = ({ attacks, found }: Score): number => (attacks === 0 ? 0 : found / attacks);

/** What must hold at the two higher strengths. */
export const BOUNDS = { precision: 0.98, recall: 0.95 } as const;
