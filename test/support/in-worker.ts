import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Secret, TOTP } from "otpauth";
import { app } from "../../src/app.ts";
import { emailKey } from "../../src/directory/email-key.ts";
import { usersOf } from "../../src/directory/users.ts";
import { keyRingOfIsolate } from "../../src/keys/key-ring-store.ts";
import { parseRootSecrets, type RootSecret } from "../../src/keys/root-secret.ts";
import { hashPassword } from "../../src/passwords/password-hash.ts";

/** Where the tests believe the service to be. */
export const ISSUER = "http://localhost";
export const PASSWORD = "an ordinary long password";

/** One answer, its body read. */
export interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
  text: string;
}

/** How a request differs from the usual one. */
export interface Call {
  method?: string;
  headers?: Record<string, string>;
  /** An access token, as some answer held it. */
  bearer?: unknown;
  /** Another address than the shared default one. */
  source?: string;
  /** Bindings to use in place of the real ones, such as counting wrappers around them. */
  bindings?: object;
  /** Leave what the request does after its response undone. */
  keepTail?: (tail: () => Promise<void>) => void;
}

/** Sends a request through the whole application, in this isolate, and waits for what it does after its answer. */
export async function call(path: string, body?: unknown, options: Call = {}): Promise<Answer> {
  const { headers = {}, bearer, source, bindings = env } = options;
  const request = new Request(`${ISSUER}${path}`, {
    method: options.method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
      "CF-Connecting-IP": source ?? newSource(),
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return send(request, bindings, options.keepTail);
}

/** Sends a request as it is. */
export async function send(request: Request, bindings: object = env, keepTail?: Call["keepTail"]): Promise<Answer> {
  const context = createExecutionContext();
  const response = await app.fetch(request, bindings, context);
  const text = await response.text();
  const tail = () => waitOnExecutionContext(context);
  if (keepTail) keepTail(tail);
  else await tail();
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : {},
  };
}

let sources = 0;

/** An address that no other test uses, each in a /24 of its own. */
export function newSource(): string {
  sources += 1;
  return `10.${(sources >> 8) & 0xff}.${sources & 0xff}.1`;
}

/** A person with an account. */
export interface Person {
  id: string;
  email: string;
  password: string;
}

/** A person whose second factor is active. `code` is the app's code `steps` away from the moment of enrolment. */
export interface GuardedPerson extends Person {
  code(steps?: number): string;
  factorId: string;
}

let hash: Promise<string> | undefined;
let people = 0;

/** Adds a verified account straight to the directory: one hash serves all of them. */
export async function newPerson(): Promise<Person> {
  people += 1;
  const { DB } = env;
  const email = `person${people}.${crypto.randomUUID().slice(0, 8)}@example.com`;
  hash ??= ring().then((keys) => hashPassword(keys, PASSWORD));
  const person = { id: crypto.randomUUID(), email, password: PASSWORD };
  const user = { ...person, password: await hash, emailKey: emailKey(email) ?? "", createdAt: Date.now() };
  await usersOf(DB).add(user);
  return person;
}

/** A person who has enrolled an authenticator app, through the API. The code of the step before now is spent. */
export async function newGuardedPerson(): Promise<GuardedPerson> {
  const person = await newPerson();
  const { body } = await logIn(person);
  const bearer = body.access_token as string;
  const enrolled = await call("/auth/2fa/totp/enroll", {}, { bearer });
  const { secret, factor_id: factorId } = enrolled.body as { secret: string; factor_id: string };
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  const enrolledAt = await earlyInStep();
  const code = (steps = 0) => totp.generate({ timestamp: enrolledAt + steps * 30_000 });
  const confirmed = await call("/auth/2fa/totp/confirm", { factor_id: factorId, code: code(-1) }, { bearer });
  if (confirmed.status !== 200) throw new Error(`not confirmed: ${confirmed.text}`);
  return { ...person, code, factorId };
}

/** A moment at which the present step has a second or more to go, so that no test meets its end unawares. */
async function earlyInStep(): Promise<number> {
  const left = 30_000 - (Date.now() % 30_000);
  if (left < 1_000) await scheduler.wait(left);
  return Date.now();
}

/** Shows the password. */
export function logIn(person: Person, options: Call & { remember?: boolean } = {}): Promise<Answer> {
  const { remember, ...rest } = options;
  const body = { email: person.email, password: person.password, ...(remember === undefined ? {} : { remember }) };
  return call("/auth/login", body, rest);
}

/** Answers a challenge. */
export function answer(challengeToken: string, code: string, options: Call = {}): Promise<Answer> {
  return call("/auth/2fa/verify", { challenge_token: challengeToken, method: "totp", code }, options);
}

/** Both doors at once, with the app's code `steps` away from enrolment. */
export async function signIn(
  person: GuardedPerson,
  steps = 0,
  options: Call & { remember?: boolean } = {},
): Promise<Answer> {
  const first = await logIn(person, options);
  return answer(first.body.challenge_token as string, person.code(steps), options);
}

/** The key ring that the application uses. */
export function ring() {
  return keyRingOfIsolate(env.ROOT_SECRET, roots()).current(env, Date.now());
}

/** The root secrets of this run. */
export function roots(): RootSecret[] {
  const parsed = parseRootSecrets(env.ROOT_SECRET);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

/** The account object of a person. */
export function accountOf({ id }: Person) {
  return env.ACCOUNTS.getByName(id);
}
