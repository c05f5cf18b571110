import { randomBytes, randomInt } from "node:crypto";
import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { Authenticator } from "./authenticator.ts";
import { goodPassword } from "./good-password.ts";
import { sharedInstance } from "./shared-instance.ts";

const pageOf = (origin: string) => ({ origin, "sec-fetch-site": "same-origin" });
/** Origin of the instance that everything here talks to, and so its issuer: the shared one, until `talkTo`. */
export let issuer = sharedInstance();

/** Headers of a page of the service itself: the contract's "browser request". */
export let ownPage = pageOf(issuer);

/** Talks to another instance from now on. Not for the top level: hooks and tests only, and the last one puts it back. */
export function talkTo(origin: string): void {
  issuer = origin;
  ownPage = pageOf(origin);
}

/** A JSON object whose members the contract names; each test says what it expects of them. */
export type Json = Record<string, unknown>;

/** What came back. `body` is empty when the answer was not a JSON object. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  body: Json;
}

/** How a request is sent. `source` is the client address (a fresh one when left out, so that no test throttles another). */
export interface Call {
  source?: string;
  bearer?: string;
  cookie?: string;
  headers?: Record<string, string>;
  /** Ask again when all places for hashing are taken (503). Default true. */
  patient?: boolean;
}

/** Somebody who signs in from one address. */
export interface Person {
  email: string;
  password: string;
  source: string;
}

/** What a token answer gave to a client that is not a browser. */
export interface Session {
  access: string;
  refresh: string;
  id: string;
}

/** A person with an active authenticator app, and the session that confirmed it. */
export interface TwoFactorPerson extends Person {
  authenticator: Authenticator;
  factorId: string;
  session: Session;
}

/** One mail of the development mailbox. */
export interface Mail {
  id: string;
  at: string;
  to: string;
  subject: string;
  text: string;
  html: string;
}

/** An address of the 10.0.0.0/8 block, with a /24 that hardly ever repeats. */
export function newSource(): string {
  return `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`;
}

/** Somebody the service has never heard of, with a password it accepts. */
export function newPerson(known: Partial<Person> = {}): Person {
  const email = `ada-${randomBytes(8).toString("hex")}@mail.example`;
  return { email, password: goodPassword(), source: newSource(), ...known };
}

function answerFrom(status: number, headers: Headers, text: string): Answer {
  const isJson = /\bjson\b/.test(headers.get("content-type") ?? "");
  const parsed: unknown = isJson && text !== "" ? JSON.parse(text) : {};
  const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
  return { status, headers, text, body: isObject ? (parsed as Json) : {} };
}

/** Sends one request; a string body goes out as it is, anything else as JSON. */
export async function send(method: string, path: string, body?: unknown, call: Call = {}): Promise<Answer> {
  const headers: Record<string, string> = { "cf-connecting-ip": call.source ?? newSource() };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (call.bearer !== undefined) headers.authorization = `Bearer ${call.bearer}`;
  if (call.cookie !== undefined) headers.cookie = call.cookie;
  Object.assign(headers, call.headers);
  const payload = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
  for (let tries = 1; ; tries++) {
    const response = await fetch(`${issuer}${path}`, { method, headers, body: payload, redirect: "manual" });
    const answer = answerFrom(response.status, response.headers, await response.text());
    if (answer.status !== 503 || call.patient === false || tries === 40) return answer;
    await sleep(100 + randomInt(200));
  }
}

/** `POST` with a JSON body. */
export const post = (path: string, body: unknown, call?: Call): Promise<Answer> => send("POST", path, body, call);

/** `GET`. */
export const get = (path: string, call?: Call): Promise<Answer> => send("GET", path, undefined, call);

/** Sends exactly these header lines and body chunks, for what `fetch` would repair: no `Host` or length is added. */
export function sendRaw(
  method: string,
  path: string,
  lines: readonly (readonly [string, string])[],
  chunks: readonly (string | Uint8Array)[] = [],
): Promise<Answer> {
  const { hostname, port } = new URL(issuer);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, method, path, headers: lines.flat(), agent: false });
    request.on("error", reject);
    request.on("response", (response) => {
      const headers = new Headers();
      for (let i = 0; i < response.rawHeaders.length; i += 2) {
        headers.append(response.rawHeaders[i] ?? "", response.rawHeaders[i + 1] ?? "");
      }
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("error", reject);
      response.on("end", () => resolve(answerFrom(response.statusCode ?? 0, headers, text)));
    });
    for (const chunk of chunks) request.write(chunk);
    request.end();
  });
}

/** The lines every raw request needs to be taken for an ordinary one. */
export function ordinaryLines(source = newSource()): [string, string][] {
  return [
    ["Host", new URL(issuer).host],
    ["CF-Connecting-IP", source],
    ["Connection", "close"],
  ];
}

/** A member that must be a non-empty string. */
export function text(answer: Answer, member: string): string {
  const value = answer.body[member];
  if (typeof value !== "string" || value === "") {
    throw new Error(`expected ${member} in the answer, got ${answer.status} ${answer.text.slice(0, 300)}`);
  }
  return value;
}

/** Asserts the contract's error format (RFC 9457), status and code. */
export function expectProblem(answer: Answer, status: number, code: string | readonly string[]): void {
  expect({ status: answer.status, code: answer.body.code }).toEqual({
    status,
    code: typeof code === "string" ? code : expect.toSatisfy((got: string) => code.includes(got)),
  });
  expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json\b/);
  expect(answer.body.type).toBe(`urn:sallyport:problem:${answer.body.code}`);
  expect(answer.body.title).toMatch(/\S/);
  expect(answer.body.status).toBe(status);
  expect(answer.body.request_id).toBe(answer.headers.get("x-request-id"));
  expect(answer.body.request_id).toMatch(/\S/);
}

/** Everything of an answer that may tell two cases apart, the request id and the clock left out. */
export function distinguishable(answer: Answer): Json {
  const id = answer.headers.get("x-request-id") ?? "";
  const skip = new Set(["x-request-id", "date", "connection", "keep-alive"]);
  const headers = [...answer.headers].filter(([name]) => !skip.has(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  return { status: answer.status, headers, text: id === "" ? answer.text : answer.text.replaceAll(id, "<request id>") };
}

/** The mails to an address, newest first, once there are at least `least` (waits five seconds, then gives what there is). */
export async function mailsTo(email: string, least = 1): Promise<Mail[]> {
  for (let tries = 1; ; tries++) {
    const answer = await get(`/dev/mailbox?to=${encodeURIComponent(email)}`);
    const messages = (answer.body.messages ?? []) as Mail[];
    if (messages.length >= least || tries === 250) return messages;
    await sleep(20);
  }
}

/** The tokens of the verification links mailed to an address, newest first. */
export async function verificationTokens(email: string, least = 1): Promise<string[]> {
  const link = new RegExp(`${issuer.replaceAll(".", "\\.")}/verify-email#token=([A-Za-z0-9._~-]+)`);
  return (await mailsTo(email, least)).flatMap((mail) => link.exec(mail.text)?.[1] ?? []);
}

/** Registers and gives the token of the mailed link. */
export async function registered(person: Person): Promise<string> {
  const answer = await post("/auth/register", { email: person.email, password: person.password }, person);
  expect(answer.status, answer.text).toBe(202);
  const [token] = await verificationTokens(person.email);
  if (token === undefined) throw new Error(`no verification link was mailed to ${person.email}`);
  return token;
}

/** Somebody with an account, its address verified, and no factor. */
export async function verifiedPerson(known: Partial<Person> = {}): Promise<Person> {
  const person = newPerson(known);
  const token = await registered(person);
  const answer = await post("/auth/email/verify", { token, password: person.password }, person);
  expect(answer.status, answer.text).toBe(200);
  return person;
}

/** `POST /auth/login` from the person's own address unless `call` says otherwise. */
export function logIn(person: Person, more: Json = {}, call: Call = {}): Promise<Answer> {
  return post(
    "/auth/login",
    { email: person.email, password: person.password, ...more },
    { source: person.source, ...call },
  );
}

/** The tokens of a token answer. */
export function sessionOf(answer: Answer): Session {
  return {
    access: text(answer, "access_token"),
    refresh: text(answer, "refresh_token"),
    id: text(answer, "session_id"),
  };
}

/** A session by password alone, for a person without factors. */
export async function signedIn(person: Person, more: Json = {}): Promise<Session> {
  return sessionOf(await logIn(person, more));
}

/** `POST /auth/2fa/totp/enroll`; the answer holds `factor_id` and `secret`. */
export const enrol = (access: string, more: Json = {}): Promise<Answer> =>
  post("/auth/2fa/totp/enroll", more, { bearer: access });

/** `POST /auth/2fa/totp/confirm`. */
export const confirm = (access: string, factorId: string, code: string): Promise<Answer> =>
  post("/auth/2fa/totp/confirm", { factor_id: factorId, code }, { bearer: access });

/** Enrols and confirms an authenticator app in a session that may do so. */
export async function withFactor(person: Person, session: Session): Promise<TwoFactorPerson> {
  const enrolment = await enrol(session.access);
  const authenticator = new Authenticator(text(enrolment, "secret"));
  const factorId = text(enrolment, "factor_id");
  const answer = await confirm(session.access, factorId, await authenticator.next());
  expect(answer.status, answer.text).toBe(200);
  return { ...person, authenticator, factorId, session };
}

/** Somebody with an active authenticator app; one code of it has been used. */
export async function twoFactorPerson(known: Partial<Person> = {}): Promise<TwoFactorPerson> {
  const person = await verifiedPerson(known);
  return withFactor(person, await signedIn(person));
}

/** `POST /auth/2fa/verify` with a TOTP code. */
export const answerChallenge = (challengeToken: string, code: unknown, call?: Call): Promise<Answer> =>
  post("/auth/2fa/verify", { challenge_token: challengeToken, method: "totp", code }, call);

/** The challenge token that a right password gives to somebody with a factor. */
export const challenged = async (person: Person): Promise<string> => text(await logIn(person), "challenge_token");

/** Both doors: password, then the next code. */
export async function signedInTwice(person: TwoFactorPerson): Promise<Session> {
  return sessionOf(await answerChallenge(await challenged(person), await person.authenticator.next()));
}

/** `POST /auth/refresh` with the token in the body. */
export const refreshed = (refresh: string, call?: Call): Promise<Answer> =>
  post("/auth/refresh", { refresh_token: refresh }, call);

/** `GET /auth/me`: the contract's question whether a session lives. */
export const me = (access: string): Promise<Answer> => get("/auth/me", { bearer: access });

/** The sessions of `GET /auth/sessions`, whether it answers with a list or with a member that holds one. */
export async function sessionsOf(access: string): Promise<Json[]> {
  const answer = await get("/auth/sessions", { bearer: access });
  expect(answer.status, answer.text).toBe(200);
  const parsed: unknown = JSON.parse(answer.text);
  return (Array.isArray(parsed) ? parsed : answer.body.sessions) as Json[];
}

/** The refresh cookie an answer sets: its value, and its attributes in lower case. */
export function refreshCookie(answer: Answer): { value: string; attributes: string[] } | undefined {
  const line = answer.headers.getSetCookie().find((cookie) => cookie.startsWith("__Host-sallyport_rt="));
  if (line === undefined) return undefined;
  const [pair = "", ...attributes] = line.split(/;\s*/);
  return { value: pair.slice(pair.indexOf("=") + 1), attributes: attributes.map((one) => one.toLowerCase()) };
}

/** The `Cookie` line a browser sends for a refresh cookie. */
export const cookieOf = (answer: Answer): string => `__Host-sallyport_rt=${refreshCookie(answer)?.value ?? ""}`;
