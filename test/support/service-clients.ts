import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { decodeJwt } from "jose";
import { expect } from "vitest";
import { type Instance, startInstance } from "../../scripts/instance.mjs";
import { type Answer, type Call, type Json, logIn, type Person, send, talkTo, text } from "./client.ts";
import { sharedInstance } from "./shared-instance.ts";

/** A back end of `CLIENTS`. */
export interface ServiceClient {
  id: string;
  secret: string;
}

/** It runs the service `orders`, and may call others. */
export const ORDERS: ServiceClient = { id: "orders-api", secret: "of the orders: 64 coins and a fig" };
/** It runs the service of its own name. Its secret needs each of the spellings that a form has. */
export const BILLING: ServiceClient = { id: "billing", secret: "a:b%41 c+d/e=f&é€" };
/** It runs a service that calls nobody. */
export const VAULT: ServiceClient = { id: "vault", secret: "of the vault: nobody comes in here" };

/** The services that tokens can be asked for. */
const AUDIENCES = [
  "orders",
  "billing",
  { name: "vault", min_acr: "aal2" },
  { name: "archive", min_acr: "aal2-recovery" },
  { name: "ledger", require_amr: ["otp"] },
];

const digestOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");
const CLIENTS = [
  {
    id: ORDERS.id,
    secret_digest: digestOf(ORDERS.secret),
    audience: "orders",
    exchange: ["billing", "vault", "ledger"],
  },
  { id: BILLING.id, secret_digest: digestOf(BILLING.secret), exchange: ["orders"] },
  { id: VAULT.id, secret_digest: digestOf(VAULT.secret) },
];

let instance: Promise<Instance> | undefined;

/** `client.ts` talks to the instance that has services; one for all files of a place of the pool, and it ends with that. */
export async function talkToServices(): Promise<void> {
  instance ??= startInstance({ vars: { AUDIENCES: JSON.stringify(AUDIENCES), CLIENTS: JSON.stringify(CLIENTS) } });
  talkTo((await instance).url);
}

/** `npm run operator -- reset-factors`, on the instance that has services: the account's next sign-in adds a factor. */
export async function resetFactors({ email }: Person): Promise<void> {
  const running = await instance;
  if (running === undefined) throw new Error("it has not been started");
  const { state, url } = running;
  const command = ["scripts/operator.mjs", "reset-factors", email, "--state", state, "--url", url];
  const { code, said } = await new Promise<{ code: unknown; said: string }>((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, said: stdout + stderr });
    });
  });
  expect(code, said).toBe(0);
}

/** `client.ts` talks to the shared instance again, for the next file. */
export const leaveServices = (): void => talkTo(sharedInstance());

const formEncoded = (value: string): string => new URLSearchParams([["", value]]).toString().slice(1);

/** HTTP Basic for OAuth: both halves are form-encoded first (RFC 6749 §2.3.1). */
export const basic = ({ id, secret }: ServiceClient): string =>
  `Basic ${Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString("base64")}`;

/** What a form holds: pairs where a name comes twice. */
export type Form = Record<string, string> | [string, string][];

/** `POST` of a form, by a client, or by nobody. */
export const postForm = (
  path: string,
  form: Form | string,
  client: ServiceClient | undefined,
  call: Call = {},
): Promise<Answer> =>
  send("POST", path, typeof form === "string" ? form : new URLSearchParams(form).toString(), {
    ...call,
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      ...(client === undefined ? {} : { authorization: basic(client) }),
      ...call.headers,
    },
  });

/** Asserts an error of RFC 6749 §5.2. */
export function expectOAuthError(answer: Answer, status: number, error: string | readonly string[]): void {
  const codes = typeof error === "string" ? [error] : error;
  expect({ status: answer.status, error: answer.body.error, body: answer.text }).toEqual({
    status,
    error: expect.toSatisfy((got: string) => codes.includes(got)),
    body: expect.any(String),
  });
  expect(answer.headers.get("content-type")).toMatch(/^application\/json\b/);
  expect(Object.keys(answer.body).filter((member) => member !== "error_description")).toEqual(["error"]);
  expect(answer.headers.get("cache-control")).toMatch(/\bno-store\b/);
  const challenge = answer.headers.get("www-authenticate");
  if (status === 401) expect(challenge).toMatch(/^Basic realm="sallyport"/);
  else expect(challenge).toBeNull();
}

/** An access token for a service, of somebody without factors. */
export const tokenFor = async (audience: string, person: Person, more: Json = {}): Promise<string> =>
  text(await logIn(person, { audience, ...more }), "access_token");

/** Both tokens of a session that was opened for a service. */
export async function serviceSession(audience: string, person: Person) {
  const answer = await logIn(person, { audience });
  return {
    access: text(answer, "access_token"),
    refresh: text(answer, "refresh_token"),
    id: text(answer, "session_id"),
  };
}

/** The claims of a token, unverified. */
export const claimsOf = (token: string): Json => decodeJwt(token) as Json;

/** `urn:ietf:params:oauth:token-type:access_token`. */
export const ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token";
/** `grant_type` of RFC 8693. */
export const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";

/** The form of an exchange. */
export const exchangeForm = (token: string, audience: string, more: Record<string, string> = {}) => ({
  grant_type: EXCHANGE,
  subject_token: token,
  subject_token_type: ACCESS_TOKEN_TYPE,
  audience,
  ...more,
});

/** `POST /oauth/token`. */
export const exchange = (
  client: ServiceClient,
  token: string,
  audience: string,
  more: Record<string, string> = {},
  call?: Call,
): Promise<Answer> => postForm("/oauth/token", exchangeForm(token, audience, more), client, call);

/** `POST /oauth/introspect`. */
export const introspect = (client: ServiceClient, token: string, more: Record<string, string> = {}): Promise<Answer> =>
  postForm("/oauth/introspect", { token, ...more }, client);

/** `POST /oauth/revoke`. */
export const revoke = (client: ServiceClient, token: string, more: Record<string, string> = {}): Promise<Answer> =>
  postForm("/oauth/revoke", { token, ...more }, client);

/** Asserts an answer of RFC 7662 §2.2 that says nothing but no. */
export function expectInactive(answer: Answer): void {
  expect({ status: answer.status, text: answer.text.replaceAll(" ", "") }).toEqual({
    status: 200,
    text: '{"active":false}',
  });
}
