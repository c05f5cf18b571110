import { digits, Random } from "./random.ts";
import type { Act } from "./service-model.ts";
import {
  abroad,
  type Client,
  DAY,
  DAYS,
  HOUR,
  MINUTE,
  onPhone,
  type Person,
  rented,
  SECOND,
  START,
  type World,
} from "./world.ts";

/** What people do in two weeks in which nobody attacks. */
export function normalFortnight(world: World, seed: string): Act[] {
  const random = new Random(`fortnight ${seed}`);
  const acts: Act[] = [];
  for (const person of world.people) {
    const trip = random.chance(0.01) ? newTrip(person, random) : undefined;
    for (let day = 0; day < DAYS; day += 1) {
      for (const at of timesOf(person, day, random))
        acts.push(...signIn(person, at, clientFor(person, at, random, trip), random));
    }
  }
  return [...acts, ...forgottenMachines(random), ...crowds(world, random)];
}

interface Trip {
  leaves: number;
  arrives: number;
  returns: number;
  client: Client;
}

function newTrip(person: Person, random: Random): Trip {
  const { client, kilometres } = abroad(person, random);
  const leaves = START + random.between(1, 9) * DAY;
  const arrives = leaves + (kilometres / 800) * HOUR + 2 * HOUR;
  return { leaves, arrives, returns: arrives + random.between(1, 4) * DAY, client };
}

/** Mornings, days and evenings where the person is; Mondays are busy, and on the second one everybody has been signed out. */
function timesOf(person: Person, day: number, random: Random): number[] {
  const isWeekend = day % 7 >= 5;
  const weight = isWeekend ? 0.3 : day % 7 === 0 ? (day === 7 ? 2.2 : 1.5) : 1;
  const count = random.poisson(person.signInsADay * weight);
  return Array.from({ length: count }, () => {
    const kind = random.next();
    const hour = kind < 0.5 ? random.between(7.5, 10) : kind < 0.8 ? random.between(9, 18) : random.between(18, 26);
    return START + day * DAY + (hour - person.region.hours) * HOUR;
  }).sort((a, b) => a - b);
}

function clientFor(person: Person, at: number, random: Random, trip: Trip | undefined): Client {
  const kind = random.next();
  const isAway = trip && at > trip.leaves && at < trip.returns + (trip.arrives - trip.leaves);
  // A phone abroad is still on its own network: providers route it home.
  if (kind < 0.35) return onPhone(person, random);
  if (isAway) return at < trip.arrives || at > trip.returns ? onPhone(person, random) : trip.client;
  if (person.tunnel && kind < 0.55) return person.tunnel;
  const hour = (((at / HOUR + person.region.hours) % 24) + 24) % 24;
  return person.office && hour >= 7.5 && hour < 18 ? person.office : person.home;
}

/** One sign-in with what comes before it: slips, forgotten passwords, the address of another account. */
export function signIn(person: Person, at: number, client: Client, random: Random): Act[] {
  const acts: Act[] = [];
  let now = at;
  const { account, address, hasManager } = person;
  const password = (right: boolean) =>
    acts.push({ does: "password", at: now, client, address, account, right, readsMail: true });
  if (random.chance(0.008)) {
    const other = digits(`${address} typo ${random.whole(0, 2)}`);
    for (let tries = 1 + random.streak(0.4, 4); tries > 0; tries -= 1) {
      acts.push({ does: "password", at: now, client, address: other, right: false });
      now += random.between(5, 25) * SECOND;
    }
  }
  if (random.chance(hasManager ? 0.0015 : 0.012)) {
    const end = forgets(person, now, client, random, acts);
    if (end === undefined) return acts;
    now = end;
  } else if (!hasManager && random.chance(0.08)) {
    for (let tries = 1 + random.streak(0.3, 3); tries > 0; tries -= 1) {
      password(false);
      now += random.between(4, 20) * SECOND;
    }
    // Called away in the middle of it.
    if (random.chance(0.06)) return acts;
  }
  password(true);
  return [...acts, ...secondFactor(person, now, client, random)];
}

/**
 * Tries what might be it, and waits as the page says, though not always. Most then ask for a link, some remember, some
 * leave it for today. Returns when the right password is typed.
 */
function forgets(person: Person, at: number, client: Client, random: Random, acts: Act[]): number | undefined {
  const { account, address } = person;
  const tries = 2 + random.streak(0.6, 12);
  let now = at;
  let mayTryAt = at;
  for (let tried = 1; tried <= tries; tried += 1) {
    acts.push({ does: "password", at: now, client, address, account, right: false });
    now += random.between(6, 30) * SECOND;
    const waitMs = tried < 5 ? 0 : 30 * SECOND * 2 ** (tried - 5);
    // Some press the button again and again; nobody waits for a quarter of an hour.
    mayTryAt = Math.max(mayTryAt, now + waitMs);
    if (waitMs > 5 * MINUTE) break;
    if (random.chance(0.7)) now += waitMs;
  }
  const kind = random.next();
  // Nobody who has waited through all this goes away without a link.
  if (kind < 0.1 && tries < 8) return undefined;
  if (kind < 0.3 && mayTryAt < now + 5 * MINUTE) return Math.max(now, mayTryAt) + random.between(5, 60) * SECOND;
  for (let mails = 1 + random.streak(0.25, 5); mails > 0; mails -= 1) {
    acts.push({ does: "ask_reset", at: now, client, address, account });
    now += random.between(0.5, 3) * MINUTE;
  }
  acts.push({ does: "use_reset", at: now, client, address, account });
  return now + random.between(5, 40) * SECOND;
}

function secondFactor(person: Person, at: number, client: Client, random: Random): Act[] {
  const { account, address, hasTotp } = person;
  const factor = hasTotp ? "totp" : "passkey";
  const proof = (now: number, right: boolean, by: "totp" | "passkey" | "recovery_code" = factor): Act => ({
    does: "factor",
    at: now,
    client,
    address,
    account,
    factor: by,
    right,
  });
  let now = at + random.between(8, 45) * SECOND;
  if (random.chance(0.01)) return leavesIt(person, now, client, random);
  const acts: Act[] = random.chance(0.001) ? [{ does: "lose_token", at: now + HOUR, client, account }] : [];
  const isDrifting = hasTotp && random.chance(0.0003);
  const wrong = isDrifting ? 2 + random.streak(0.4, 8) : hasTotp && random.chance(0.03) ? 1 + random.streak(0.3, 3) : 0;
  for (let tried = 1; tried <= wrong; tried += 1) {
    acts.push(proof(now, false));
    now += random.between(8, 30) * SECOND;
    // A challenge takes five answers; then the password is asked for again.
    if (tried % 5 === 0)
      acts.push({ does: "password", at: now - SECOND, client, address, account, right: true, readsMail: true });
  }
  if (!isDrifting && !random.chance(0.001)) return [...acts, proof(now, true)];
  for (let typed = random.streak(0.4, 5); typed > 0; typed -= 1) {
    acts.push(proof(now, false, "recovery_code"));
    now += random.between(20, 60) * SECOND;
  }
  acts.push({ does: "password", at: now - SECOND, client, address, account, right: true, readsMail: true });
  return [...acts, proof(now, true, "recovery_code")];
}

/** The phone is in another room: back in a minute, this evening, or not today. Some try twice before they look for it. */
function leavesIt(person: Person, at: number, client: Client, random: Random): Act[] {
  const { account, address } = person;
  const acts: Act[] = [];
  for (let again = random.streak(0.25, 4); again > 0; again -= 1) {
    acts.push({
      does: "password",
      at: at + again * random.between(1, 4) * MINUTE,
      client,
      address,
      account,
      right: true,
      readsMail: true,
    });
  }
  if (random.chance(0.25)) return acts;
  const later = at + (random.chance(0.6) ? random.between(5, 20) * MINUTE : random.between(1, 9) * HOUR);
  const factor = person.hasTotp ? "totp" : "passkey";
  acts.push({ does: "password", at: later, client, address, account, right: true, readsMail: true });
  return [...acts, { does: "factor", at: later + 20 * SECOND, client, address, account, factor, right: true }];
}

/** Programs that nobody has told that their account is gone: one address that is nobody's, one that was closed. */
function forgottenMachines(random: Random): Act[] {
  return ["kiosk", "scanner", "old phone"].flatMap((name, n) => {
    const client = rented(random, name);
    const [address, account] = [digits(`machine ${name} ${random.next()}`), digits(`account ${name} ${random.next()}`)];
    const from = START + random.between(0, 10) * DAY;
    const everyMs = n === 2 ? 6 * MINUTE : 20 * SECOND;
    return Array.from({ length: Math.floor((12 * HOUR) / everyMs) }, (_, tick): Act => {
      const known = n === 2 ? { account, status: "closed" as const } : {};
      return { does: "password", at: from + tick * everyMs, client, address, right: false, ...known };
    });
  });
}

/** A hall full of people on one network, and an office where everybody is told to choose a new password today. */
function crowds(world: World, random: Random): Act[] {
  const hall = rented(random, "hall");
  const start = START + (2 + random.whole(0, 2)) * DAY + 8 * HOUR;
  const guests = random.several(150, world.people.length).flatMap((n) => {
    const person = world.people[n] as Person;
    // What a hall's visitors have with them is known to their accounts; its place is wherever the hall is.
    const { place: _, ...nowhere } = hall;
    const client = {
      ...nowhere,
      agent: person.home.agent,
      country: person.region.country,
      recognised: random.chance(0.8),
    };
    return signIn(person, start + random.between(0, 40) * MINUTE, client, random);
  });
  const told = START + (8 + random.whole(0, 3)) * DAY + 9 * HOUR;
  const staff = world.people.filter(({ office }) => office?.source === world.offices.at(-4));
  const resets = staff.slice(0, 14).flatMap((person): Act[] => {
    const { account, address, office } = person;
    const [at, client] = [told + random.between(0, 50) * MINUTE, office ?? person.home];
    const ask: Act = { does: "ask_reset", at, client, address, account };
    return [
      ask,
      { does: "use_reset", at: at + 3 * MINUTE, client, address, account },
      ...signIn(person, at + 4 * MINUTE, client, random),
    ];
  });
  return [...guests, ...resets];
}
