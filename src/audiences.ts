import { digestOfSecret } from "./keys/secret-digest.ts";
import type { Settings } from "./settings.ts";
import { parseStrictJson } from "./strict-json.ts";
import { AUDIENCE_NAME_MAX, AUDIENCES_MAX, CLIENT_ID_MAX } from "./token-policy.ts";
import type { Audience } from "./tokens/audience.ts";
import { ACRS } from "./tokens/proof.ts";

/** A back end that may use the OAuth endpoints. */
export interface Client {
  id: string;
  /** SHA-256 of its secret, 64 lower-case hex digits. */
  secretDigest: string;
  /** The audience whose tokens this client receives. */
  audience: string;
  /** Audiences that it may exchange such a token for. */
  exchange: ReadonlySet<string>;
  /** Whether it may say on whose behalf it asks: `Sallyport-Client-Address` is taken from it. */
  forwardsAddress: boolean;
}

/** Says what is wrong with one entry of a list. */
type Tell = (sentence: string) => void;

/** Authentication methods (RFC 8176) that a token of ours can name. Demanding another one would let nobody in. */
const AMRS = ["pwd", "otp", "hwk", "swk", "user", "pop", "mfa"];
/** Audiences of tokens that this service makes for itself. */
const RESERVED = /^urn:sallyport:/i;
/** `client_id` of tokens that no exchange has made. */
const FIRST_PARTY = "first-party";
const DIGEST = /^[0-9a-f]{64}$/;
/** What is typed where a secret has to be drawn; the id of the client is another one. */
const WELL_KNOWN = [
  ...["", "secret", "client_secret", "client-secret", "clientsecret", "password", "passw0rd", "changeme"],
  ...["change-me", "test", "example", "sample", "demo", "dev", "development", "admin", "default", "null", "undefined"],
  ...["letmein", "sallyport", "12345678", "123456", "1234", "s3cr3t", "topsecret", "mysecret", "string", "xxx"],
];

/** Reads `AUDIENCES`: the services that a token may be asked for, by name. The issuer is none of them. */
export function readAudiences(settings: Settings, issuer: string): ReadonlyMap<string, Audience> {
  const text = settings.longText("AUDIENCES");
  const entries = /^\s*[[{]/.test(text) ? readList(settings, "AUDIENCES", text) : settings.parts(text);
  if (entries.length > AUDIENCES_MAX) settings.problem("AUDIENCES", `must have at most ${AUDIENCES_MAX} entries`);
  const audiences = new Map<string, Audience>();
  for (const [tell, entry] of places(settings, "AUDIENCES", entries)) {
    const audience = readAudience(entry, issuer, tell);
    if (!audience) continue;
    if (audiences.has(audience.name))
      tell(`has the name "${audience.name}" of an entry before it; leave one of them out`);
    audiences.set(audience.name, audience);
  }
  return audiences;
}

/** Reads `CLIENTS`: the back ends that may use the OAuth endpoints, by id. */
export function readClients(settings: Settings, audiences: ReadonlyMap<string, Audience>): ReadonlyMap<string, Client> {
  const text = settings.longText("CLIENTS");
  const clients = new Map<string, Client>();
  for (const [tell, entry] of places(settings, "CLIENTS", text === "" ? [] : readList(settings, "CLIENTS", text))) {
    const client = readClient(entry, audiences, tell);
    if (!client) continue;
    if (clients.has(client.id)) tell(`has the id "${client.id}" of an entry before it; give it one of its own`);
    // One secret for two would let each of them act as the other.
    if ([...clients.values()].some(({ secretDigest }) => secretDigest === client.secretDigest)) {
      tell("has the secret_digest of an entry before it; give each client a secret of its own");
    }
    clients.set(client.id, client);
  }
  return clients;
}

function readList(settings: Settings, name: string, text: string): unknown[] {
  // As many members as the text has room for: an operator wrote it.
  const json = parseStrictJson(text, { maxMembers: Number.POSITIVE_INFINITY });
  if (typeof json !== "string" && Array.isArray(json.value)) return json.value;
  const defect = json === "duplicate_member" ? "; it has two members with one name" : "";
  settings.problem(name, `must be a JSON list, such as ${EXAMPLES[name]}${defect}`);
  return [];
}

const EXAMPLES: Record<string, string> = {
  AUDIENCES: '["orders", {"name": "billing", "min_acr": "aal2"}]',
  CLIENTS: '[{"id": "orders", "secret_digest": "<64 hex digits>", "exchange": ["billing"]}]',
};

/** Each entry with a way to say what is wrong with it, counted from 1. */
function places(settings: Settings, name: string, entries: unknown[]): [Tell, unknown][] {
  return entries.map((entry, index) => [(sentence) => settings.problem(name, `entry ${index + 1} ${sentence}`), entry]);
}

function readAudience(entry: unknown, issuer: string, tell: Tell): Audience | undefined {
  const members =
    typeof entry === "string" ? { name: entry } : membersOf(entry, ["name", "min_acr", "require_amr"], tell);
  if (!members) return undefined;
  const { name, min_acr, require_amr } = members;
  const problem = audienceNameProblem(name, issuer);
  if (problem) tell(problem);
  const minAcr = ACRS.find((acr) => acr === min_acr);
  if (min_acr !== undefined && !minAcr) tell(`has an unknown min_acr; use one of ${ACRS.join(", ")}`);
  const requireAmr = require_amr === undefined ? undefined : textsOf(require_amr);
  if (require_amr !== undefined && !requireAmr?.every((value) => AMRS.includes(value))) {
    tell(`has an unknown require_amr; use a list of ${AMRS.join(", ")}`);
  }
  if (problem || typeof name !== "string") return undefined;
  return { name, ...(minAcr ? { minAcr } : {}), ...(requireAmr ? { requireAmr } : {}) };
}

function audienceNameProblem(name: unknown, issuer: string): string | undefined {
  if (typeof name !== "string" || name.length > AUDIENCE_NAME_MAX || !/^[!#-&(-+\--~]+$/.test(name)) {
    return `needs a name of 1 to ${AUDIENCE_NAME_MAX} printable ASCII characters without spaces, quotes and commas`;
  }
  if (name === issuer) return "is the issuer, which may always be asked for; leave it out";
  return RESERVED.test(name) ? 'starts with "urn:sallyport:", which is reserved; choose another name' : undefined;
}

function readClient(entry: unknown, audiences: ReadonlyMap<string, Audience>, tell: Tell): Client | undefined {
  const known = ["id", "secret_digest", "audience", "exchange", "forwards_address"];
  const members = membersOf(entry, known, tell);
  if (!members) return undefined;
  const { id, audience = id, exchange = [], forwards_address = false } = members;
  const problems = [
    idProblem(id),
    digestProblem(members.secret_digest, id),
    typeof audience === "string" && audiences.has(audience)
      ? undefined
      : "needs an audience out of AUDIENCES; without the member audience it is the id",
    textsOf(exchange)?.every((name) => audiences.has(name))
      ? undefined
      : "may list in exchange only names out of AUDIENCES, as a list of texts",
    typeof forwards_address === "boolean" ? undefined : "needs true or false as forwards_address",
  ].filter((problem) => problem !== undefined);
  for (const problem of problems) tell(problem);
  if (problems.length > 0) return undefined;
  const { secret_digest: secretDigest } = members;
  return {
    id: String(id),
    secretDigest: String(secretDigest),
    audience: String(audience),
    exchange: new Set(textsOf(exchange)),
    forwardsAddress: forwards_address === true,
  };
}

function idProblem(id: unknown): string | undefined {
  if (typeof id !== "string" || id.length > CLIENT_ID_MAX || !/^[A-Za-z0-9._-]+$/.test(id)) {
    return `needs an id of 1 to ${CLIENT_ID_MAX} letters, digits, dots, hyphens and underscores`;
  }
  return id === FIRST_PARTY ? `has the id "${FIRST_PARTY}", which is reserved; choose another one` : undefined;
}

function digestProblem(digest: unknown, id: unknown): string | undefined {
  if (typeof digest !== "string" || !DIGEST.test(digest)) {
    return "needs a secret_digest: the SHA-256 of the client's secret as 64 lower-case hex digits";
  }
  // With a line break as well: that is what comes out where one forgets to leave it off.
  const words = [...WELL_KNOWN, ...(typeof id === "string" ? [id] : [])].flatMap((word) => [word, `${word}\n`]);
  const guessed = words.some((word) => digestOfSecret(word) === digest);
  return guessed ? "has the secret_digest of a well-known word; draw a random secret" : undefined;
}

/** The members of an object that has none but the known ones. */
function membersOf(entry: unknown, known: string[], tell: Tell): Record<string, unknown> | undefined {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    tell(`must be an object with members out of ${known.join(", ")}`);
    return undefined;
  }
  // Not by name: somebody may have put a secret where a name belongs.
  const unknown = Object.keys(entry).some((name) => !known.includes(name));
  if (unknown) tell(`has an unknown member; known are ${known.join(", ")}`);
  return unknown ? undefined : (entry as Record<string, unknown>);
}

function textsOf(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;
}
