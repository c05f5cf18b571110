import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { base64url } from "jose";
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
  /** The browser that asks: sends its cookies and keeps those of the answer. */
  browser?: CookieKeeper;
  /** Bindings to use in place of the real ones, such as counting wrappers around them. */
  bindings?: object;
  /** Leave what the request does after its response undone. */
  keepTail?: (tail: () => Promise<void>) => void;
}

/** Something that keeps cookies between requests. */
export interface CookieKeeper {
  headers(): Record<string, string>;
  keep(answer: Answer): void;
}

/** Sends a request through the whole application, in this isolate, and waits for what it does after its answer. */
export async function call(path: string, body?: unknown, options: Call = {}): Promise<Answer> {
  const { headers = {}, bearer, source, browser, bindings = env } = options;
  const request = new Request(`${ISSUER}${path}`, {
    method: options.method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
      "CF-Connecting-IP": source ?? newSource(),
      ...browser?.headers(),
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const answer = await send(request, bindings, options.keepTail);
  browser?.keep(answer);
  return answer;
}

/** Sends a request as it is. */
export async function send(request: Request, bindings: object = env, keepTail?: Call["keepTail"]): Promise<Answer> {
  const context = createExecutionContext();
  const response = await app.fetch(request, bindings, context);
  // Not `text()`, which warns of every type that it takes for none.
  const text = new TextDecoder().decode(await response.arrayBuffer());
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

/**
 * A person whose second factor is active. `code` is the app's code `steps` away from the moment of enrolment, `codeNow`
 * that of the present.
 */
export interface GuardedPerson extends Person {
  code(steps?: number): string;
  codeNow(): string;
  /** Six digits that the app shows at no time near the present. */
  wrongCode(): string;
  factorId: string;
  recoveryCodes: string[];
  /** The session that enrolled it. */
  session: Record<string, unknown>;
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
export async function newGuardedPerson(options: Call = {}): Promise<GuardedPerson> {
  const person = await newPerson();
  const { body: session } = await logIn(person, options);
  return { ...person, session, ...(await addAuthenticator(session.access_token)) };
}

/** Adds an authenticator app. The code of the step before now is spent. */
export async function addAuthenticator(
  bearer: unknown,
  options: Call = {},
): Promise<Omit<GuardedPerson, keyof Person | "session"> & { confirmed: Answer }> {
  const enrolled = await call("/auth/2fa/totp/enroll", {}, { ...options, bearer });
  const { secret, factor_id: factorId } = enrolled.body as { secret: string; factor_id: string };
  const enrolledAt = await earlyInStep();
  const code = (steps = 0) => codeOf(secret, enrolledAt + steps * 30_000);
  const confirmation = { factor_id: factorId, code: code(-1) };
  const confirmed = await call("/auth/2fa/totp/confirm", confirmation, { ...options, bearer });
  if (confirmed.status !== 200) throw new Error(`not confirmed: ${confirmed.text}`);
  const recoveryCodes = (confirmed.body.recovery_codes ?? []) as string[];
  const near = (steps: number) => codeOf(secret, Date.now() + steps * 30_000);
  const wrongCode = () =>
    ["000000", "111111", "222222", "333333"].find((guess) => ![-1, 0, 1].map(near).includes(guess));
  return { code, codeNow: () => near(0), wrongCode: () => wrongCode() ?? "", factorId, recoveryCodes, confirmed };
}

/** The code of a secret at a moment, epoch milliseconds. */
export function codeOf(secret: unknown, at: number): string {
  return new TOTP({ secret: Secret.fromBase32(String(secret)) }).generate({ timestamp: at });
}

/** A moment at which the present step has a second or more to go, so that no test meets its end unawares. */
async function earlyInStep(): Promise<number> {
  const left = 30_000 - (Date.now() % 30_000);
  if (left < 1_000) await scheduler.wait(left);
  return Date.now();
}

/** Shows the password, and with it the token of a mailed proof if there is one. */
export function logIn(
  { email, password }: Person,
  { remember, proof, ...options }: Call & { remember?: boolean; proof?: string } = {},
): Promise<Answer> {
  const shown = proof === undefined ? {} : { proof: { kind: "mail_link", token: proof } };
  return call("/auth/login", { email, password, ...(remember === undefined ? {} : { remember }), ...shown }, options);
}

/** The challenge token that a right password opens. */
export async function challengeOf(person: Person, options: Parameters<typeof logIn>[1] = {}): Promise<string> {
  const { body, text } = await logIn(person, options);
  if (body.status !== "challenge") throw new Error(`no challenge: ${text}`);
  return body.challenge_token as string;
}

/** Answers a challenge. */
export function answer(challengeToken: unknown, code: string, options: Call = {}): Promise<Answer> {
  return call("/auth/2fa/verify", { challenge_token: challengeToken, method: "totp", code }, options);
}

/** Answers a challenge with a recovery code. */
export function recover(challengeToken: unknown, code: string | undefined, options: Call = {}): Promise<Answer> {
  return call("/auth/2fa/verify", { challenge_token: challengeToken, method: "recovery_code", code }, options);
}

/** Uses a refresh token, or the cookie of the browser that asks. */
export function refresh(token?: unknown, options: Call = {}): Promise<Answer> {
  return call("/auth/refresh", token === undefined ? {} : { refresh_token: token }, options);
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

/** What an access token says. */
export function claimsOf(token: unknown): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(base64url.decode(String(token).split(".")[1] ?? "")));
}

/** The account object of a person. */
export function accountOf({ id }: Person) {
  return env.ACCOUNTS.getByName(id);
}
