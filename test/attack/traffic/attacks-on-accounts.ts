import type { Pattern } from "../../../src/events/detectors/detector.ts";
import type { Plan, Scene } from "./attacks.ts";
import type { Act } from "./service-model.ts";
import { type Client, distance, HOUR, MINUTE, type Person, rented, SECOND } from "./world.ts";

type OnAccounts = Exclude<
  Pattern,
  "password_spraying" | "slow_password_spraying" | "credential_stuffing" | "reset_flooding" | "failure_ratio"
>;

const password = ({ account, address }: Person, at: number, client: Client, right: boolean): Act => ({
  does: "password",
  at,
  client,
  address,
  account,
  right,
});

/** A right password and then wrong answers, five to a challenge. */
function guesses(
  { at }: Scene,
  person: Person,
  client: Client,
  factor: "totp" | "recovery_code",
  count: number,
  everyMs: number,
) {
  const { account, address } = person;
  return Array.from({ length: count }, (_, n): Act[] => {
    const when = at + n * everyMs;
    const opens = n % 5 === 0 || everyMs > MINUTE ? [password(person, when - 5 * SECOND, client, true)] : [];
    return [...opens, { does: "factor", at: when, client, address, account, factor, right: false }];
  }).flat();
}

/** Many passwords on one account, from one group or up to four, with or without regard for the throttle. */
const bruteForce: Plan = ({ random, strength, world, at, name }) => {
  const person = random.pick(world.people);
  const clients = Array.from({ length: strength === "low" ? 1 : random.whole(1, 3) }, (_, n) =>
    rented(random, `${name} ${n}`),
  );
  const count = { low: random.whole(6, 9), medium: random.whole(25, 80), high: random.whole(300, 900) }[strength];
  const everyMs = { low: 60, medium: random.between(8, 25), high: random.between(0.5, 2) }[strength] * SECOND;
  const acts = Array.from({ length: count }, (_, n) => password(person, at + n * everyMs, random.pick(clients), false));
  return { subjects: [`account:${person.account}`], acts };
};

/** The same from everywhere: each group once or twice. */
const distributed: Plan = ({ random, strength, world, at, name }) => {
  const person = random.pick(world.people);
  const groups = { low: random.whole(3, 6), medium: random.whole(12, 30), high: random.whole(150, 600) }[strength];
  const lastsMs = { low: 3 * HOUR, medium: random.between(0.5, 1) * HOUR, high: random.between(0.3, 2) * HOUR }[
    strength
  ];
  const acts = Array.from({ length: groups }, (_, n) => {
    const client = rented(random, `${name} ${n}`);
    const when = at + (lastsMs * n) / groups;
    const again = random.chance(0.3) ? [password(person, when + 10 * SECOND, client, false)] : [];
    return [password(person, when, client, false), ...again];
  }).flat();
  return { subjects: [`account:${person.account}`], acts };
};

const secondFactorGuessing: Plan = (scene) => {
  const { random, strength, world, name } = scene;
  const person = random.pick(world.people.filter(({ hasTotp }) => hasTotp));
  const count = { low: random.whole(3, 6), medium: random.whole(10, 14), high: random.whole(20, 60) }[strength];
  // In one go, or a few an hour in the hope that nobody counts further than that.
  const everyMs =
    strength === "medium" && random.chance(0.5) ? random.between(10, 40) * MINUTE : random.between(3, 20) * SECOND;
  const acts = guesses(scene, person, rented(random, name), "totp", count, everyMs);
  return { subjects: [`account:${person.account}`], acts };
};

const recoveryCodeGuessing: Plan = (scene) => {
  const { random, strength, world, name } = scene;
  const person = random.pick(world.people);
  const count = { low: random.whole(2, 5), medium: random.whole(10, 20), high: random.whole(60, 200) }[strength];
  const everyMs = { low: 40, medium: random.between(10, 60), high: random.between(1, 3) }[strength] * SECOND;
  return {
    subjects: [`account:${person.account}`],
    acts: guesses(scene, person, rented(random, name), "recovery_code", count, everyMs),
  };
};

/** A password that is right, again and again; or a list of those that were, one after the other. */
const unproven: Plan = ({ random, strength, world, at, name }) => {
  const client = rented(random, name);
  if (random.chance(0.5)) {
    const person = random.pick(world.people);
    const count = { low: random.whole(1, 4), medium: random.whole(8, 12), high: random.whole(15, 40) }[strength];
    const everyMs = random.between(6, 40) * MINUTE * (strength === "high" ? 0.5 : 1);
    const clients = [client, ...(random.chance(0.5) ? [rented(random, `${name} 2`), rented(random, `${name} 3`)] : [])];
    const acts = Array.from({ length: count }, (_, n) =>
      password(person, at + n * everyMs, random.pick(clients), true),
    );
    return { subjects: [`account:${person.account}`], acts };
  }
  const count = { low: random.whole(2, 4), medium: random.whole(10, 18), high: random.whole(30, 80) }[strength];
  const acts = random.several(count, world.people.length).map((n, index) => {
    const person = world.people[n] as Person;
    return password(person, at + (40 * MINUTE * index) / count, { ...client, host: client.host + (index % 3) }, true);
  });
  return { subjects: [`source:${client.source}`], acts };
};

/** A copy of a session that is used once, now and then, or a stolen store of many. */
const reuse: Plan = ({ random, strength, world, at, name }) => {
  const client = rented(random, name);
  const count = { low: 1, medium: random.whole(2, 3), high: random.whole(4, 12) }[strength];
  const account = random.pick(world.people).account;
  const acts = Array.from(
    { length: count },
    (_, n): Act => ({ does: "reuse_token", at: at + n * 4 * MINUTE, client, account }),
  );
  return { subjects: [`account:${account}`], acts };
};

/**
 * Somebody with the password and a factor, soon after the owner has signed in: on another continent, with a program of his
 * own or, when weak, the owner's, or as far away as one can be by then.
 */
const impossibleTravel: Plan = ({ random, strength, world, normal, at, name }) => {
  const signIn = normal.find((act) => act.at > at && act.does === "factor" && act.right && act.client.place);
  if (signIn?.does !== "factor" || !signIn.client.place) throw new Error("nobody signs in after that");
  const person = world.people.find(({ account }) => account === signIn.account) as Person;
  const home = signIn.client.place;
  let client = rented(random, name);
  for (let n = 0; distance(client.place ?? home, home) < 3_500; n += 1) client = rented(random, `${name} ${n}`);
  const kilometres = distance(client.place ?? home, home);
  const hours = { low: kilometres / 600, medium: random.between(0.5, 2.5), high: random.between(0.05, 0.4) }[strength];
  const isCopied = strength === "low" && random.chance(0.5);
  client = { ...client, agent: isCopied ? signIn.client.agent : `${name}0000`.slice(-16) };
  const when = signIn.at + hours * HOUR;
  const { account, address } = person;
  const proof: Act = { does: "factor", at: when + 20 * SECOND, client, address, account, factor: "totp", right: true };
  return { subjects: [`account:${account}`], acts: [password(person, when, client, true), proof] };
};

export const ATTACKS_ON_ACCOUNTS: Record<OnAccounts, Plan> = {
  brute_force: bruteForce,
  distributed_brute_force: distributed,
  second_factor_guessing: secondFactorGuessing,
  second_factor_unproven: unproven,
  recovery_code_guessing: recoveryCodeGuessing,
  refresh_token_reuse: reuse,
  impossible_travel: impossibleTravel,
};
