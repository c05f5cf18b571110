import { digits, Random } from "./random.ts";

/** Epoch milliseconds of a Monday, 00:00 UTC. */
export const START = Date.UTC(2026, 8, 7);
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const DAYS = 14;
export const PEOPLE = 5_000;

/** Where a request comes from. `host`: which of the addresses of the group. */
export interface Client {
  source: string;
  host: number;
  country: string;
  asn: number;
  place?: { lat: number; lon: number };
  agent: string;
  /** A browser that the account recognises has buckets of its own. */
  recognised: boolean;
}

/** Somebody with an account. */
export interface Person {
  account: string;
  address: string;
  region: Region;
  home: Client;
  /** At a desk in an office, where there is one. */
  office?: Client;
  phoneAgent: string;
  carrier: number;
  hasManager: boolean;
  hasTotp: boolean;
  signInsADay: number;
  /** The other end of a tunnel that is on now and then. */
  tunnel?: Client;
}

interface Region {
  country: string;
  /** From UTC. */
  hours: number;
  lat: number;
  lon: number;
  share: number;
}

const REGIONS: Region[] = [
  { country: "DE", hours: 2, lat: 51, lon: 10, share: 0.35 },
  { country: "GB", hours: 1, lat: 52, lon: -1, share: 0.2 },
  { country: "US", hours: -4, lat: 40, lon: -76, share: 0.2 },
  { country: "US", hours: -7, lat: 37, lon: -121, share: 0.1 },
  { country: "IN", hours: 5.5, lat: 19, lon: 73, share: 0.1 },
  { country: "JP", hours: 9, lat: 35, lon: 139, share: 0.05 },
];
/** Most people use one of a few programs, which all call themselves the same. */
const LAPTOPS = Array.from({ length: 14 }, (_, n) => digits(`laptop ${n}`).slice(0, 16));
const PHONES = Array.from({ length: 12 }, (_, n) => digits(`phone ${n}`).slice(0, 16));
/** People of an office; the last one is a campus behind one address. */
const OFFICES = [...Array.from({ length: 50 }, (_, n) => 5 + n), 80, 100, 120, 150, 200, 250, 700];
/** Groups of one mobile network. */
const CARRIER_GROUPS = 40;

/** Everybody, and where they sign in from. */
export interface World {
  people: Person[];
  /** Groups of offices by their number, small ones first. */
  offices: string[];
}

export function newWorld(seed: string): World {
  const random = new Random(`world ${seed}`);
  const desks = OFFICES.flatMap((size, office) => Array<number>(size).fill(office));
  const people = Array.from({ length: PEOPLE }, (_, n) => newPerson(random, seed, n, desks[n]));
  return { people, offices: OFFICES.map((_, office) => groupName("office", office)) };
}

function newPerson(random: Random, seed: string, n: number, desk: number | undefined): Person {
  const region = desk === undefined ? regionOf(random.next()) : regionOf((desk % 10) / 10);
  const laptop = random.pick(LAPTOPS.slice(0, random.chance(0.7) ? 4 : LAPTOPS.length));
  const at = (source: string, asn: number, from = region): Client => ({
    source,
    host: random.whole(1, 250),
    country: from.country,
    asn,
    ...(random.chance(0.95)
      ? { place: { lat: from.lat + random.whole(-1, 1), lon: from.lon + random.whole(-1, 1) } }
      : {}),
    agent: laptop,
    recognised: random.chance(0.7),
  });
  return {
    account: uuid(`${seed} account ${n}`),
    address: digits(`${seed} address ${n}`),
    region,
    home: at(groupName(`home ${region.country}${region.hours}`, random.whole(0, 60)), 3000 + region.hours),
    ...(desk === undefined ? {} : { office: { ...at(groupName("office", desk), 4000 + desk), host: 1 } }),
    phoneAgent: random.pick(PHONES.slice(0, random.chance(0.6) ? 3 : PHONES.length)),
    carrier: random.whole(0, 1),
    hasManager: random.chance(0.4),
    hasTotp: random.chance(0.75),
    signInsADay: random.between(0.3, 1.6),
    ...(random.chance(0.05)
      ? { tunnel: at(groupName("tunnel", random.whole(0, 20)), 5000, random.pick(REGIONS)) }
      : {}),
  };
}

function regionOf(share: number): Region {
  let left = share;
  const region = REGIONS.find((each) => {
    left -= each.share;
    return left < 0;
  });
  return region ?? (REGIONS[0] as Region);
}

/** A phone on the way: another group of its network every time, few addresses for many, and the network's place. */
export function onPhone({ region, phoneAgent, carrier }: Person, random: Random): Client {
  const source = groupName(`carrier ${region.country}${region.hours} ${carrier}`, random.whole(1, CARRIER_GROUPS));
  const place = { lat: region.lat, lon: region.lon };
  const recognised = random.chance(0.6);
  return {
    source,
    host: random.whole(1, 4),
    country: region.country,
    asn: 6000 + carrier,
    place,
    agent: phoneAgent,
    recognised,
  };
}

/** Far away, for a while. */
export function abroad(person: Person, random: Random): { client: Client; kilometres: number } {
  const there = random.pick(REGIONS.filter(({ country }) => country !== person.region.country));
  const source = groupName("hotel", random.whole(0, 30));
  const place = { lat: there.lat, lon: there.lon };
  const kilometres = distance(person.region, there);
  return { client: { ...person.home, source, country: there.country, asn: 7000, place, recognised: true }, kilometres };
}

/** A group that nobody else uses: rented machines, or one of a botnet's or a proxy seller's. */
export function rented(random: Random, name: string): Client {
  const region = random.pick(REGIONS);
  return {
    source: groupName(`rented ${name}`, random.whole(0, 1_000_000)),
    host: random.whole(1, 250),
    country: region.country,
    asn: random.whole(8000, 9000),
    ...(random.chance(0.9)
      ? { place: { lat: region.lat + random.whole(-8, 8), lon: region.lon + random.whole(-8, 8) } }
      : {}),
    // Tools either have a name of their own or the most common one.
    agent: random.chance(0.5)
      ? digits(`tool ${random.whole(0, 40)}`).slice(0, 16)
      : (LAPTOPS[random.whole(0, 3)] as string),
    recognised: false,
  };
}

/** By the haversine formula, on a sphere of 6371 km. */
export function distance(a: { lat: number; lon: number }, b: { lat: number; lon: number }): number {
  const rad = Math.PI / 180;
  const h =
    Math.sin(((b.lat - a.lat) * rad) / 2) ** 2 +
    Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin(((b.lon - a.lon) * rad) / 2) ** 2;
  return 2 * 6371 * Math.asin(Math.sqrt(h));
}

/** Named like real groups: mostly IPv4 /24, some IPv6 /48. */
function groupName(kind: string, n: number): string {
  const hex = digits(`${kind} ${n}`);
  const byte = (at: number) => Number.parseInt(hex.slice(at, at + 2), 16);
  if (byte(8) < 40) return `2001:${hex.slice(0, 4)}:${hex.slice(4, 8)}::/48`;
  return `${(byte(0) % 220) + 1}.${byte(2)}.${byte(4)}.0/24`;
}

function uuid(text: string): string {
  const hex = digits(text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
