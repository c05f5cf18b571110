import { env } from "cloudflare:workers";
import { digestOfSecret } from "../../../src/keys/secret-digest.ts";
import { type AccessTokenSubject, signAccessToken } from "../../../src/tokens/access-token.ts";
import {
  type Answer,
  type Call,
  claimsOf,
  ISSUER,
  logIn,
  newPerson,
  newSource,
  type Person,
  ring,
  send,
} from "../../support/in-worker.ts";

/** Secrets of the clients, as `openssl rand -hex 32` makes them. */
const SECRETS = {
  orders: "5f0c1d7a".repeat(8),
  billing: "b3e88a21".repeat(8),
  warehouse: "07d9c4f6".repeat(8),
};
export type ClientId = keyof typeof SECRETS;

const secret_digest = (id: ClientId) => digestOfSecret(SECRETS[id]);

/** Services that call each other; `vault` and `safe` ask for more of a user than a password. */
export const OAUTH_SETTINGS = {
  AUDIENCES: JSON.stringify([
    ...["orders", "billing", "stock", "unreached"],
    { name: "vault", min_acr: "aal2" },
    { name: "safe", require_amr: ["otp"] },
  ]),
  CLIENTS: JSON.stringify([
    { id: "orders", secret_digest: secret_digest("orders"), exchange: ["billing", "vault", "safe"] },
    { id: "billing", secret_digest: secret_digest("billing"), exchange: ["orders"] },
    { id: "warehouse", secret_digest: secret_digest("warehouse"), audience: "stock" },
  ]),
};

/** The bindings of a service that has these clients. */
export const bindings = { ...env, ...OAUTH_SETTINGS };

/** How a client asks. `as` is who it says it is; without it nobody in particular. */
export interface ClientCall extends Pick<Call, "headers" | "bindings"> {
  as?: ClientId;
  /** Another secret than its own. */
  secret?: string;
}

/** Sends a form to an OAuth endpoint. */
export function ask(path: string, form: Record<string, string>, options: ClientCall = {}): Promise<Answer> {
  const { as, secret, headers = {} } = options;
  const authorization = as === undefined ? {} : { Authorization: basic(as, secret ?? SECRETS[as]) };
  const request = new Request(`${ISSUER}/oauth/${path}`, {
    method: "POST",
    headers: {
      "Content-Type": "application/x-www-form-urlencoded",
      "CF-Connecting-IP": newSource(),
      ...authorization,
      ...headers,
    },
    body: new URLSearchParams(form).toString(),
  });
  return send(request, { ...bindings, ...options.bindings });
}

/** The header of HTTP Basic for an id and a secret that need no encoding. */
export function basic(id: string, secret: string = SECRETS[id as ClientId]): string {
  return `Basic ${btoa(`${id}:${secret}`)}`;
}

/** The form of an exchange. */
export function exchangeForm(subjectToken: unknown, audience = "billing"): Record<string, string> {
  return {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: String(subjectToken),
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    audience,
  };
}

/** Exchanges a token. */
export function exchange(subjectToken: unknown, audience = "billing", options: ClientCall = {}): Promise<Answer> {
  return ask("token", exchangeForm(subjectToken, audience), { as: "orders", ...options });
}

/** Asks whether a token is good. */
export function introspect(token: unknown, options: ClientCall = {}): Promise<Answer> {
  return ask("introspect", { token: String(token) }, { as: "orders", ...options });
}

/** Asks for the end of a token's session. */
export function revoke(token: unknown, options: ClientCall = {}): Promise<Answer> {
  return ask("revoke", { token: String(token) }, { as: "orders", ...options });
}

/** Somebody signed in, and what his sign-in gave him. */
export interface SignedIn {
  person: Person;
  sessionId: string;
  refreshToken: string;
  /** For our own routes. */
  accessToken: string;
}

/** A new person who has signed in with a password. */
export async function signedIn(): Promise<SignedIn> {
  const person = await newPerson();
  const { body } = await logIn(person, { bindings });
  const { session_id, refresh_token, access_token } = body as Record<string, string>;
  return { person, sessionId: session_id ?? "", refreshToken: refresh_token ?? "", accessToken: access_token ?? "" };
}

/** An access token of a session as the service signs it; of a password a minute ago, for `orders`, unless told otherwise. */
export async function tokenFor(
  { person, sessionId }: Pick<SignedIn, "person" | "sessionId">,
  { ttl = 300, age = 0, ...subject }: Partial<AccessTokenSubject> & { ttl?: number; age?: number } = {},
): Promise<string> {
  const issued = Date.now() - age * 1000;
  const factors = { pwd: Math.floor(issued / 1000) - 60 };
  const about = { accountId: person.id, sessionId, audience: "orders", roles: ["reader"], factors, ...subject };
  return signAccessToken(await ring(), ISSUER, about, issued, ttl);
}

/** The claims of the token that an answer holds. */
export function claimsIn({ body, text }: Answer): Record<string, unknown> {
  if (body.access_token === undefined) throw new Error(`no token: ${text}`);
  return claimsOf(body.access_token);
}
