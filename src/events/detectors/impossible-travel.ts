import type { Detector, Finding } from "./detector.ts";
import { type Familiar, type Habits, Habitual, mark } from "./familiar.ts";
import { Groups, type KnownGroups } from "./known-groups.ts";
import {
  KEPT,
  TRAVEL_KM_MIN,
  TRAVEL_KM_PER_HOUR,
  TRAVEL_SIGN_INS,
  TRAVEL_SIGN_INS_STRANGE,
  TRAVEL_SIGN_INS_STRANGE_NETWORK,
} from "./thresholds.ts";
import { inOrder, opensSession } from "./tries.ts";

/** Whole degrees. */
interface Place {
  lat: number;
  lon: number;
}

/** A journey that nobody makes, and until when it is told of. */
interface Journey {
  account: string;
  from: number;
  to: number;
  seen: number;
}

export interface Travels {
  travellers: Familiar;
  journeys: Journey[];
  groups: KnownGroups;
}

const HOUR = 3_600_000;
/** A journey is told of for so long, so that a step that is lost loses none. */
const JOURNEY_TOLD_MS = HOUR;

/**
 * Complete sign-ins of one account at places that nobody gets between in the time. A place it has been to and a program
 * it has used are the owner's: a tunnel to another country, a phone whose provider is at home while its owner is not.
 */
export const impossibleTravel: Detector<Travels> = {
  pattern: "impossible_travel",
  empty: { travellers: [], journeys: [], groups: [] },
  step(before, events, now) {
    const signIns = inOrder(events, now).filter(opensSession);
    if (signIns.length === 0 && before.journeys.length === 0) return { state: before, findings: [] };
    const travellers = new Habitual(before.travellers);
    const groups = new Groups(before.groups);
    const journeys = before.journeys
      .map((journey) => ({ ...journey, seen: Math.min(journey.seen, now) }))
      .filter(({ seen }) => now - seen <= JOURNEY_TOLD_MS);
    for (const { account, place, at, agent = "", source = "", asn } of signIns) {
      if (!account) continue;
      const enough = signInsFor(groups, source, asn);
      const habits = travellers.of(account);
      if (!place) {
        // A program of the owner's, wherever he is.
        if (habits) travellers.add(account, habits.at, habits.places[0] ?? "", mark(agent), 0);
        continue;
      }
      const arrival = { at, place, program: mark(agent), enough };
      if (habits && isImpossible(habits, arrival)) {
        journeys.push({ account, from: Math.min(habits.at, at), to: Math.max(habits.at, at), seen: now });
      }
      travellers.add(account, at, textOf(place), arrival.program);
    }
    const state = {
      travellers: travellers.close(),
      journeys: journeys.slice(-KEPT.reuseAccounts / 4),
      groups: groups.close(),
    };
    return { state, findings: state.journeys.map(findingOf) };
  },
};

interface Arrival {
  at: number;
  place: Place;
  program: string;
  /** How many sign-ins an account must have for it. */
  enough: { withTwoPrograms: number; withOne: number };
}

/** How many sign-ins an account must have, by whether anybody has signed in from a group or a network. Then somebody has. */
function signInsFor(groups: Groups, source: string, asn: number | undefined): Arrival["enough"] {
  const network = asn === undefined ? source : `AS${asn}`;
  const [isGroupKnown, isNetworkKnown] = [groups.has(source), asn === undefined || groups.has(network)];
  for (const each of new Set([source, network])) groups.add(each);
  if (!isNetworkKnown) return TRAVEL_SIGN_INS_STRANGE_NETWORK;
  return isGroupKnown ? TRAVEL_SIGN_INS : TRAVEL_SIGN_INS_STRANGE;
}

function isImpossible({ at, signIns, places, programs }: Habits, arrival: Arrival): boolean {
  const { withTwoPrograms, withOne } = arrival.enough;
  const isKnown = signIns >= (programs.length > 1 ? withTwoPrograms : withOne);
  if (!isKnown || programs.includes(arrival.program)) return false;
  const known = places.map((place) => kilometres(placeOf(place), arrival.place));
  if (known.some((distance) => distance < TRAVEL_KM_MIN)) return false;
  const hours = Math.abs(arrival.at - at) / HOUR;
  return (known[0] ?? 0) - TRAVEL_KM_MIN > hours * TRAVEL_KM_PER_HOUR;
}

/** Great-circle distance, haversine. */
function kilometres(a: Place, b: Place): number {
  const radians = Math.PI / 180;
  const [lat, lon] = [((b.lat - a.lat) / 2) * radians, ((b.lon - a.lon) / 2) * radians];
  const h = Math.sin(lat) ** 2 + Math.cos(a.lat * radians) * Math.cos(b.lat * radians) * Math.sin(lon) ** 2;
  return 2 * 6_371 * Math.asin(Math.min(1, Math.sqrt(h)));
}

function textOf({ lat, lon }: Place): string {
  return ((lat + 90) * 361 + lon + 180).toString(36);
}

function placeOf(text: string): Place {
  const number = Number.parseInt(text, 36);
  return { lat: Math.floor(number / 361) - 90, lon: (number % 361) - 180 };
}

function findingOf({ account, from, to }: Journey): Finding {
  const seen = { firstAt: from, lastAt: to, tries: 2, addresses: 1, sources: 2 };
  return { pattern: "impossible_travel", subject: `account:${account}`, severity: "high", ...seen };
}
