import type { AccountObject } from "./account/account-object.ts";
import { type Config, parseConfig } from "./config.ts";
import { type Appointments, appointmentsOf } from "./directory/appointments.ts";
import { type EndedSessions, endedSessionsOf } from "./directory/ended-sessions.ts";
import { type ImportedUsers, importedUsersOf } from "./directory/imported-users.ts";
import { type Operations, operationsOf } from "./directory/operations.ts";
import { type PasskeyOwners, passkeyOwnersOf } from "./directory/passkey-owners.ts";
import { type UserChanges, userChangesOf } from "./directory/user-changes.ts";
import { type Users, usersOf } from "./directory/users.ts";
import { type AlertStore, alertStoreOf } from "./events/alert-store.ts";
import { type ChainStore, chainStoreOf } from "./events/chain-store.ts";
import { type DeliveryStore, deliveryStoreOf } from "./events/delivery-store.ts";
import { type DetectionStore, detectionStoreOf } from "./events/detection-store.ts";
import { type EventCounts, eventCountsOf } from "./events/event-counts.ts";
import { type EventList, eventListOf } from "./events/event-list.ts";
import { type EventReader, eventReaderOf } from "./events/event-reader.ts";
import { type EventStore, eventStoreOf } from "./events/event-store.ts";
import type { GateObject } from "./gate/gate-object.ts";
import { HeldReports } from "./gate/held-reports.ts";
import { passesShield } from "./gate/shield.ts";
import { siteverify } from "./gate/siteverify.ts";
import { type KeyCommands, keyCommandsOf } from "./keys/key-commands.ts";
import type { KeyRing } from "./keys/key-ring.ts";
import { type KeyRingStore, keyRingOfIsolate } from "./keys/key-ring-store.ts";
import { parseRootSecrets } from "./keys/root-secret.ts";
import { logLine } from "./log.ts";
import type { DeliveredMessage } from "./mail/mailbox.ts";
import type { MailTransport, Message } from "./mail/message.ts";
import { bindingTransport, httpTransport } from "./mail/transports.ts";
import { type HashPlace, HashPlaces } from "./passwords/hash-places.ts";
import { isBreached } from "./passwords/range-api.ts";
import { MAIL_RETRY_WAITS_MS } from "./policy.ts";
import type { Visit } from "./visit.ts";

export type { BrowserCookies, Visit } from "./visit.ts";

/** What a flow can reach. Made anew for each request, from what the isolate has parsed once. */
export interface Service {
  config: Config;
  keyRing(now: number): Promise<KeyRing>;
  /** What operators do to the ring. */
  keyCommands: KeyCommands;
  users: Users;
  userChanges: UserChanges;
  appointments: Appointments;
  passkeyOwners: PasskeyOwners;
  importedUsers: ImportedUsers;
  operations: Operations;
  endedSessions: EndedSessions;
  events: EventStore;
  eventChain: ChainStore;
  eventReader: EventReader;
  eventList: EventList;
  eventCounts: EventCounts;
  alerts: AlertStore;
  detection: DetectionStore;
  deliveries: DeliveryStore;
  account(accountId: string): DurableObjectStub<AccountObject>;
  gate(shard: string): DurableObjectStub<GateObject>;
  /** What this isolate reports of refusals, so that a flood of them is not one of calls. */
  heldReports: HeldReports;
  /** Whether a client may pass the shield. Yes where that does not answer: the gates decide. */
  passesShield(visit: Visit): Promise<boolean>;
  /** A place in this isolate's queue of password hashes; to be asked for before anything is waited for. */
  takeHashPlace(visit: Visit): HashPlace | undefined;
  /** Whether a password is one of a known breach. No without an API to ask; one that does not answer is a log line. */
  isBreached(password: string): Promise<boolean>;
  /** What the bot check says of a token. Unknown without one, or when it does not answer, which is a line in the log. */
  checkBot(token: string): Promise<"human" | "bot" | "unknown">;
  /** Sends a mail after the response. A mail that does not leave is a log line, never a different answer. */
  sendLater(message: Message): void;
  /** Sends a mail now. False when it did not leave. */
  send(message: Message): Promise<boolean>;
  /** Keeps work alive past the response, and past a client that hangs up. */
  waitUntil(work: Promise<unknown>): void;
  /** Asks a store whether it answers. */
  probes: Record<"database" | "events" | "key_value" | "objects", () => Promise<unknown>>;
  /** The development mailbox, where it exists. */
  readMailbox?: (to: string) => Promise<DeliveredMessage[]>;
}

/** Where a request came from, as far as the platform says: chooses where a new account object is made. */
export interface Origin {
  continent?: string | undefined;
  longitude?: string | undefined;
}

interface Foundation {
  config: Config;
  keyRings: KeyRingStore;
  databases: ReturnType<typeof databasesOf>;
  hashPlaces: HashPlaces;
  heldReports: HeldReports;
}

const foundations = new WeakMap<object, Foundation | { problems: string[] }>();

/**
 * Opens the service for one request. Settings and secrets are parsed once an isolate; when they are wrong the answer
 * is the list of problems, and nothing else is to be had.
 */
export function openService(
  env: Env,
  hold: (work: Promise<unknown>) => void,
  origin: Origin,
): Service | { problems: string[] } {
  const foundation = foundationOf(env);
  if ("problems" in foundation) return foundation;
  const { config, keyRings, databases, hashPlaces, heldReports } = foundation;
  hashPlaces.noteArrival();
  const waitUntil = (work: Promise<unknown>) => hold(work.catch((error) => logFault("later_work_failed", error)));
  const account = stubsOf(env.ACCOUNTS, config, locationHint(origin));
  const gate = stubsOf(env.GATES, config, undefined);
  return {
    config,
    keyRing: (now) => keyRings.current(env, now),
    keyCommands: keyCommandsOf(keyRings, env, config.keyRotationMs),
    ...databases,
    account,
    gate,
    heldReports,
    passesShield: ({ network }) => passesShield(env.SHIELD, network.source),
    takeHashPlace: ({ network, now }) => hashPlaces.take(network.source, now),
    isBreached: (password) => askRangeApi(config, password),
    checkBot: (token) => askSiteVerify(config, token),
    sendLater: (message) => waitUntil(deliver(transportOf(env, config), message)),
    send: (message) => deliver(transportOf(env, config), message),
    waitUntil,
    probes: {
      events: () => env.EVENTS.prepare("SELECT 1").first(),
      database: () => env.DB.prepare("SELECT 1").first(),
      key_value: () => env.KV.get("readiness"),
      objects: () => gate("0").ping(),
    },
    ...(hasMailbox(config) ? { readMailbox } : {}),
  };
}

/** What the two databases are asked for. */
function databasesOf(env: Env) {
  return {
    users: usersOf(env.DB),
    userChanges: userChangesOf(env.DB),
    appointments: appointmentsOf(env.DB),
    passkeyOwners: passkeyOwnersOf(env.DB),
    importedUsers: importedUsersOf(env.DB),
    operations: operationsOf(env.DB),
    endedSessions: endedSessionsOf(env.DB),
    events: eventStoreOf(env.EVENTS),
    eventChain: chainStoreOf(env.EVENTS),
    eventReader: eventReaderOf(env.EVENTS),
    eventList: eventListOf(env.EVENTS, eventCountsOf(env.EVENTS)),
    eventCounts: eventCountsOf(env.EVENTS),
    alerts: alertStoreOf(env.EVENTS),
    detection: detectionStoreOf(env.EVENTS),
    deliveries: deliveryStoreOf(env.EVENTS),
  };
}

/** Turns the keys whose time has come, then renews the KV copy of the key ring; the work of the minute cron. */
export async function renewKeyRing(env: Env, now: number): Promise<void> {
  const foundation = foundationOf(env);
  if ("problems" in foundation) throw new Error(foundation.problems.join("; "));
  const { keyRings, config } = foundation;
  for (const key of await keyRings.turn(env, config.keyRotationMs, now)) {
    logLine({ level: "info", event: "key_activated", key });
  }
}

function foundationOf(env: Env): Foundation | { problems: string[] } {
  const foundation = foundations.get(env) ?? layFoundation(env);
  foundations.set(env, foundation);
  return foundation;
}

function layFoundation(env: Env): Foundation | { problems: string[] } {
  const config = parseConfig(env);
  const roots = parseRootSecrets(env.ROOT_SECRET);
  const problems = ["problems" in config ? config.problems : [], typeof roots === "string" ? [roots] : []].flat();
  if ("problems" in config || typeof roots === "string") return { problems };
  return {
    config,
    keyRings: keyRingOfIsolate(env.ROOT_SECRET, roots),
    databases: databasesOf(env),
    hashPlaces: new HashPlaces(),
    heldReports: new HeldReports(),
  };
}

/** The one place that makes stubs: in another jurisdiction the same name would be another object. */
function stubsOf<T extends Rpc.DurableObjectBranded>(
  namespace: DurableObjectNamespace<T>,
  { jurisdiction }: Config,
  hint: DurableObjectLocationHint | undefined,
): (name: string) => DurableObjectStub<T> {
  const placed = jurisdiction ? namespace.jurisdiction(jurisdiction) : namespace;
  return (name) => placed.getByName(name, hint && !jurisdiction ? { locationHint: hint } : {});
}

const HINTS: Record<string, DurableObjectLocationHint> = { EU: "weur", AS: "apac", SA: "sam", AF: "afr", OC: "oc" };
/** Roughly the meridian of Denver. */
const WEST_OF = -105;

function locationHint({ continent, longitude }: Origin): DurableObjectLocationHint | undefined {
  if (continent === "NA") return Number(longitude) < WEST_OF ? "wnam" : "enam";
  return continent === undefined ? undefined : HINTS[continent];
}

function transportOf(env: Env, { mail }: Config): MailTransport {
  if (mail.transport === "binding") return bindingTransport(env.EMAIL, mail.from);
  if (mail.transport === "http") return httpTransport(mail.url, mail.token, mail.from);
  return async (message) => {
    // Inside the condition and not after it: only there does the bundler drop what is imported.
    if (DEVELOPMENT_MAILBOX) {
      const { mailboxTransport } = await import("./mail/mailbox.ts");
      return mailboxTransport(message);
    }
    throw new Error("this build has no development mailbox");
  };
}

function hasMailbox({ isLocal, mail }: Config): boolean {
  return DEVELOPMENT_MAILBOX && isLocal && mail.transport === "mailbox";
}

async function readMailbox(to: string): Promise<DeliveredMessage[]> {
  if (DEVELOPMENT_MAILBOX) {
    const mailbox = await import("./mail/mailbox.ts");
    return mailbox.readMailbox(to);
  }
  return [];
}

/** Fails open: that an API is down must not keep people from choosing a password that all other rules let pass. */
async function askRangeApi({ breachCheckUrl }: Config, password: string): Promise<boolean> {
  try {
    return breachCheckUrl !== undefined && (await isBreached(breachCheckUrl, password));
  } catch (error) {
    logFault("breach_check_failed", error);
    return false;
  }
}

/** Fails closed as a proof: what nobody has confirmed speaks for nobody. */
async function askSiteVerify({ botCheck }: Config, token: string): Promise<"human" | "bot" | "unknown"> {
  if (!botCheck) return "unknown";
  try {
    return (await siteverify(botCheck, token)) ? "human" : "bot";
  } catch (error) {
    logFault("bot_check_unavailable", error);
    return "unknown";
  }
}

/** Whether a mail has left, after a few tries. */
async function deliver(transport: MailTransport, message: Message): Promise<boolean> {
  for (const wait of [...MAIL_RETRY_WAITS_MS, undefined]) {
    try {
      await transport(message);
      return true;
    } catch (error) {
      logFault("mail_not_sent", error);
      if (wait !== undefined) await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  return false;
}

/** What goes wrong after the answer has nobody to be told to but the log. */
function logFault(event: string, error: unknown): void {
  logLine({ level: "error", event, error: String(error) });
}
