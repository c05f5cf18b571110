import type { Plan, Scene } from "./attacks.ts";
import { digits } from "./random.ts";
import type { Act } from "./service-model.ts";
import { type Client, HOUR, MINUTE, onPhone, type Person, rented, SECOND } from "./world.ts";

type FromSources =
  | "password_spraying"
  | "slow_password_spraying"
  | "credential_stuffing"
  | "reset_flooding"
  | "failure_ratio";

/** A rented machine, mostly; now and then somebody on the network of an office or of a phone. */
function attackersClient({ random, world, name }: Scene): Client {
  const kind = random.next();
  if (kind < 0.7) return rented(random, name);
  const person = random.pick(world.people);
  if (kind < 0.85 && person.office && person.office.source !== world.offices.at(-1))
    return { ...rented(random, name), source: person.office.source, host: 1 };
  return { ...rented(random, name), source: onPhone(person, random).source };
}

/** One try each, wrong. `unknown`: share of addresses that are nobody's; one right password in two hundred. */
function tries(scene: Scene, count: number, unknown: number, lastsMs: number, clientOf: (n: number) => Client): Act[] {
  const { random, world, at, name } = scene;
  const people = random.several(count, world.people.length).map((n) => world.people[n] as Person);
  return people.map((person, n): Act => {
    const when = at + (lastsMs * (n + random.next())) / count;
    if (random.chance(unknown)) {
      return { does: "password", at: when, client: clientOf(n), address: digits(`${name} ${n}`), right: false };
    }
    const { account, address } = person;
    return { does: "password", at: when, client: clientOf(n), address, account, right: random.chance(0.005) };
  });
}

/** One password, or two, on many accounts from one group, from one machine or a few of it. */
const passwordSpraying: Plan = (scene) => {
  const { random, strength } = scene;
  const count = { low: random.whole(8, 14), medium: random.whole(28, 50), high: random.whole(80, 250) }[strength];
  const client = attackersClient(scene);
  const hosts = strength === "high" ? 8 : random.whole(1, 3);
  const first = tries(scene, count, random.between(0, 0.1), random.between(4, 8) * MINUTE, (n) => ({
    ...client,
    host: client.host + (n % hosts),
  }));
  const again = random.chance(0.3) ? first.map((act) => ({ ...act, at: act.at + 9 * MINUTE })) : [];
  return { subjects: [`source:${client.source}`], acts: [...first, ...again] };
};

/** One try an account in a day, from so many groups that none is worth a look. */
const slowSpraying: Plan = (scene) => {
  const { random, strength, name } = scene;
  const count = { low: random.whole(25, 45), medium: random.whole(140, 220), high: random.whole(500, 900) }[strength];
  const groups = { low: 12, medium: 40, high: 160 }[strength];
  const clients = Array.from({ length: groups }, (_, n) => rented(random, `${name} ${n}`));
  return { subjects: ["service"], acts: tries(scene, count, 0.1, 24 * HOUR, () => random.pick(clients)) };
};

/** A leaked list from one group: many of its addresses are nobody's here. */
const stuffing: Plan = (scene) => {
  const { random, strength } = scene;
  const count = { low: random.whole(15, 27), medium: random.whole(55, 90), high: random.whole(200, 500) }[strength];
  const client = attackersClient(scene);
  const hosts = { low: 1, medium: random.whole(1, 4), high: random.whole(4, 20) }[strength];
  const acts = tries(scene, count, random.between(0.5, 0.9), random.between(5, 9) * MINUTE, (n) => ({
    ...client,
    host: client.host + (n % hosts),
  }));
  return { subjects: [`source:${client.source}`], acts };
};

/** Mails for one mailbox from everywhere, or for many from one place. */
const resetFlooding: Plan = (scene) => {
  const { random, strength, world, at, name } = scene;
  const ask = (person: Person, when: number, client: Client): Act => {
    const { account, address } = person;
    return { does: "ask_reset", at: when, client, address, account };
  };
  if (random.chance(0.5)) {
    const person = random.pick(world.people);
    const count = { low: random.whole(4, 6), medium: random.whole(20, 40), high: random.whole(100, 300) }[strength];
    const acts = Array.from({ length: count }, (_, n) =>
      ask(person, at + (50 * MINUTE * n) / count, rented(random, `${name} ${n % 12}`)),
    );
    return { subjects: [`account:${person.account}`], acts };
  }
  const client = attackersClient(scene);
  const count = { low: random.whole(6, 11), medium: random.whole(30, 50), high: random.whole(100, 300) }[strength];
  const people = random.several(count, world.people.length).map((n) => world.people[n] as Person);
  const acts = people.map((person, n) =>
    ask(person, at + (50 * MINUTE * n) / count, { ...client, host: client.host + (n % 4) }),
  );
  return { subjects: [`source:${client.source}`], acts };
};

/** A botnet with a list of which hardly anything fits, one or two tries a group. */
const failureRatio: Plan = (scene) => {
  const { random, strength, name } = scene;
  const count = { low: random.whole(40, 90), medium: random.whole(700, 1000), high: random.whole(2500, 4000) }[
    strength
  ];
  const clients = Array.from({ length: count / 2 }, (_, n) => rented(random, `${name} ${n}`));
  return { subjects: ["service"], acts: tries(scene, count, 0.995, HOUR - 30 * SECOND, () => random.pick(clients)) };
};

export const ATTACKS_FROM_SOURCES: Record<FromSources, Plan> = {
  password_spraying: passwordSpraying,
  slow_password_spraying: slowSpraying,
  credential_stuffing: stuffing,
  reset_flooding: resetFlooding,
  failure_ratio: failureRatio,
};
