import { posix } from "node:path";
import { importsOf, namesIn, type SourceFile, usesAny } from "./source-scan.ts";

const PLAIN = ["keys", "passwords", "factors", "tokens"];
const POLICIES = ["policy", "token-policy", "event-policy", "edge-policy"];
/** What an object needs to record and to ship events. */
const RECORDING = ["events/security-event.ts", "events/event-store.ts", "events/outbox.ts", "events/earliest-alarm.ts"];
const STORED = ["directory", "events", "mail"];
const BELOW_FLOWS = [
  ...POLICIES,
  "refusal",
  "log",
  "config",
  "audiences",
  "alerting",
  "bot-check",
  ...PLAIN,
  "account",
  "gate",
  ...STORED,
];

/**
 * Who may import whom: an allow list, and type-only imports count. A room may always import itself. A name with a slash
 * is one file of a room.
 */
export const ROOMS: Record<string, string[]> = {
  policy: [],
  "token-policy": [],
  "event-policy": [],
  "edge-policy": [],
  refusal: [],
  log: [],
  globals: [],
  settings: [],
  audiences: ["settings", "tokens", "keys", "strict-json", ...POLICIES],
  "bot-check": ["settings"],
  alerting: ["settings", "directory/email-key.ts", ...POLICIES],
  config: [...POLICIES, "settings", "audiences", "alerting", "bot-check", "tokens"],
  "strict-json": [],
  service: [...BELOW_FLOWS, "visit"],
  visit: ["gate/network.ts", "events/security-event.ts"],
  app: ["http", "service", "visit", "config", "log"],
  index: ["app", "service", "flows/every-minute.ts", "account/account-object.ts", "gate/gate-object.ts"],
  ...Object.fromEntries(PLAIN.map((room) => [room, [...PLAIN, ...POLICIES, "refusal", "strict-json", "sdk"]])),
  account: ["factors", "keys", "tokens", ...POLICIES, "refusal", "log", "directory/ended-sessions.ts", ...RECORDING],
  gate: ["factors", "keys", "tokens", ...POLICIES, "refusal", "log", ...RECORDING],
  ...Object.fromEntries(
    STORED.map((room) => [room, [...POLICIES, "refusal", "keys", ...(room === "events" ? ["log"] : [])]]),
  ),
  flows: [...BELOW_FLOWS, "service", "visit", "sdk"],
  http: ["flows", ...POLICIES, "refusal", "log", "strict-json"],
  sdk: ["strict-json", "token-policy"],
};

/** Rooms that may import types, and nothing but types, from more rooms than those above. */
const TYPES: Record<string, string[]> = { http: Object.keys(ROOMS), sdk: ["tokens"] };

/** Where each package and each built-in module may be imported. What is not listed may be imported nowhere. */
const PACKAGES: Record<string, string[]> = {
  hono: ["http", "app", "sdk/require-auth.ts"],
  valibot: ["http"],
  qr: ["http"],
  jose: ["keys", "tokens", "passwords", "sdk"],
  "@noble/hashes": [...PLAIN, "account", "gate"],
  "@phi-ag/argon2": ["passwords/password-hash.ts"],
  // Tables of 4 KiB for hashes that few services ever import: it waits for the first.
  bcryptjs: ["passwords/foreign/bcrypt.ts"],
  // Sixty milliseconds to evaluate: it waits for the first passkey.
  "@simplewebauthn/server": ["factors/passkey.ts"],
  "node:crypto": [...PLAIN, "account", "gate", "events"],
  // The runtime's own classes: everything else can be tested without it.
  "cloudflare:workers": ["account/account-base.ts", "gate/gate-object.ts"],
};

/** Names that stand for KV, which may hold copies and never decides: only the key ring knows it. */
const KV_NAMES = ["KV", "KVNamespace"];
const MAY_USE_KV = ["keys", "service"];
/** What reaches the log passes one place, where every character of it is made harmless. */
const MAY_LOG = ["log.ts"];

/** Every way in which a file of `src` breaks the table, as sentences. `path` is relative to `src`. */
export function violationsOf(file: SourceFile): string[] {
  const room = roomOf(file.path);
  if (!(room in ROOMS)) return [`${file.path} belongs to no room`];
  const names = namesIn(file);
  const rules: [broken: boolean, sentence: string][] = [
    [!isIn(file.path, MAY_USE_KV) && KV_NAMES.some((name) => names.has(name)), "knows KV"],
    [!isIn(file.path, MAY_LOG) && names.has("console"), "writes to the console"],
    [usesAny(file), "uses the type any"],
  ];
  const broken = rules.filter(([isBroken]) => isBroken).map(([, sentence]) => `${file.path} ${sentence}`);
  const imports = importsOf(file).filter(({ specifier, typeOnly }) => !mayImport(file.path, specifier, typeOnly));
  return [...broken, ...imports.map(({ specifier }) => `${file.path} imports ${specifier}`)];
}

function mayImport(path: string, specifier: string, typeOnly: boolean): boolean {
  const room = roomOf(path);
  if (!specifier.startsWith(".")) return isIn(path, PACKAGES[packageOf(specifier)] ?? []);
  const target = posix.join(posix.dirname(path), specifier);
  const allowed = [room, ...(ROOMS[room] ?? []), ...(typeOnly ? (TYPES[room] ?? []) : [])];
  return isIn(target, allowed);
}

/** Whether a file is, or lies in, one of these rooms. */
function isIn(path: string, rooms: string[]): boolean {
  return rooms.includes(path) || rooms.includes(roomOf(path));
}

function roomOf(path: string): string {
  return path.replace(/(\.d)?\.ts$/, "").split("/")[0] ?? "";
}

function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}
