import type { Detector, Finding } from "./detector.ts";
import { KEPT, TRAVEL_KM_MIN, TRAVEL_KM_PER_HOUR, TRAVEL_MEMORY_MS, TRAVELLERS_KEPT } from "./thresholds.ts";
import { inOrder, opensSession, short } from "./tries.ts";

/** Whole degrees. */
interface Place {
  lat: number;
  lon: number;
}

/** Where an account has signed in from, its last place first, and with which programs. */
interface Traveller {
  at: number;
  places: Place[];
  agents: string[];
}

/** A journey that nobody makes, and until when it is told of. */
interface Journey {
  account: string;
  from: number;
  to: number;
  seen: number;
}

export interface Travels {
  /**
   * Travellers as texts, by the last digit of their account and then by the account: `TRAVELLERS_KEPT` of them have to
   * fit into a row, and a step copies only the parts it touches.
   */
  parts: Record<string, Record<string, string>>;
  journeys: Journey[];
}

/** Of the last places and programs, so many are remembered. */
const REMEMBERED = 3;
const MINUTE = 60_000;
const HOUR = 3_600_000;
const PARTS = 64;
/** Places of one minute are told of for so long, so that an alert covers them. */
const JOURNEY_TOLD_MS = HOUR;

/**
 * Complete sign-ins of one account at places that nobody gets between in the time. A place it has been to and a program
 * it has used are the owner's: a tunnel to another country, a phone whose provider is at home while its owner is not.
 */
export const impossibleTravel: Detector<Travels> = {
  pattern: "impossible_travel",
  empty: { parts: {}, journeys: [] },
  step(before, events, now) {
    const parts = { ...before.parts };
    const touched = new Set<string>();
    let journeys = before.journeys
      .map((journey) => ({ ...journey, seen: Math.min(journey.seen, now) }))
      .filter(({ seen }) => now - seen <= JOURNEY_TOLD_MS);
    for (const event of inOrder(events, now)) {
      const { account, place, at, agent = "" } = event;
      if (!opensSession(event) || !account || !place) continue;
      const key = partOf(account);
      if (!touched.has(key)) parts[key] = { ...parts[key] };
      touched.add(key);
      const part = parts[key] ?? {};
      const traveller = readTraveller(part[short(account)]);
      const arrival = { at, place, agent: agent.slice(0, 4) };
      if (traveller && isImpossible(traveller, arrival)) {
        journeys = [
          ...journeys,
          { account, from: Math.min(traveller.at, at), to: Math.max(traveller.at, at), seen: now },
        ];
      }
      part[short(account)] = textOf(after(traveller, arrival));
    }
    for (const key of touched) parts[key] = bounded(parts[key] ?? {}, now);
    journeys = journeys.slice(-KEPT.reuseAccounts);
    return { state: { parts, journeys }, findings: journeys.map(findingOf) };
  },
};

interface Arrival {
  at: number;
  place: Place;
  agent: string;
}

function isImpossible({ at, places, agents }: Traveller, arrival: Arrival): boolean {
  const from = places[0];
  if (!from || agents.includes(arrival.agent)) return false;
  if (places.some((place) => kilometres(place, arrival.place) < TRAVEL_KM_MIN)) return false;
  const hours = Math.abs(arrival.at - at) / HOUR;
  return kilometres(from, arrival.place) - TRAVEL_KM_MIN > hours * TRAVEL_KM_PER_HOUR;
}

/** An arrival that comes late does not move the traveller back; what was learnt of him stays. */
function after(traveller: Traveller | undefined, { at, place, agent }: Arrival): Traveller {
  const { at: lastAt, places, agents } = traveller ?? { at: 0, places: [], agents: [] };
  const isLate = at < lastAt;
  const other = places.filter(({ lat, lon }) => lat !== place.lat || lon !== place.lon);
  return {
    at: Math.max(at, lastAt),
    places: (isLate ? [...other.slice(0, 1), place, ...other.slice(1)] : [place, ...other]).slice(0, REMEMBERED),
    agents: [agent, ...agents.filter((known) => known !== agent)].slice(0, REMEMBERED),
  };
}

/** Great-circle distance, haversine. */
function kilometres(a: Place, b: Place): number {
  const radians = Math.PI / 180;
  const [lat, lon] = [((b.lat - a.lat) / 2) * radians, ((b.lon - a.lon) / 2) * radians];
  const h = Math.sin(lat) ** 2 + Math.cos(a.lat * radians) * Math.cos(b.lat * radians) * Math.sin(lon) ** 2;
  return 2 * 6_371 * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Minutes, places and programs between commas. */
function textOf({ at, places, agents }: Traveller): string {
  const numbers = places.map(({ lat, lon }) => ((lat + 90) * 361 + lon + 180).toString(36));
  return [Math.floor(at / MINUTE).toString(36), numbers.join("."), agents.join(".")].join(",");
}

function readTraveller(text: string | undefined): Traveller | undefined {
  if (text === undefined) return undefined;
  const [at = "0", places = "", agents = ""] = text.split(",");
  const numbers = places.split(".").map((digits) => Number.parseInt(digits, 36));
  return {
    at: Number.parseInt(at, 36) * MINUTE,
    places: numbers.map((number) => ({ lat: Math.floor(number / 361) - 90, lon: (number % 361) - 180 })),
    agents: agents.split("."),
  };
}

function partOf(account: string): string {
  return `p${[...short(account)].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 0) % PARTS}`;
}

/** The travellers of a part whose last sign-in is not too long ago, the latest of them. */
function bounded(part: Record<string, string>, now: number): Record<string, string> {
  const minute = Math.floor((now - TRAVEL_MEMORY_MS) / MINUTE);
  const minuteOf = (text: string) => Number.parseInt(text, 36);
  const limit = TRAVELLERS_KEPT / PARTS;
  if (Object.keys(part).length <= limit) return part;
  const recent = Object.entries(part).filter(([, text]) => minuteOf(text) >= minute);
  recent.sort(([a, x], [b, y]) => minuteOf(y) - minuteOf(x) || (a < b ? -1 : 1));
  return Object.fromEntries(recent.slice(0, limit));
}

function findingOf({ account, from, to }: Journey): Finding {
  const subject = `account:${account}`;
  return {
    pattern: "impossible_travel",
    subject,
    severity: "high",
    firstAt: from,
    lastAt: to,
    tries: 2,
    addresses: 1,
    sources: 2,
  };
}
