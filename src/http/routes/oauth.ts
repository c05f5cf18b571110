import { type Context, Hono } from "hono";
import type { Client } from "../../audiences.ts";
import { authenticateClient } from "../../flows/authenticate-client.ts";
import { type ExchangeRequest, exchangeToken, TOKEN_EXCHANGE } from "../../flows/exchange-token.ts";
import { introspect } from "../../flows/introspect.ts";
import { revoke } from "../../flows/revoke.ts";
import type { OAuthRefusal, Refusal } from "../../refusal.ts";
import { clientCredentials } from "../client-credentials.ts";
import type { Api } from "../context.ts";
import { type Form, readForm } from "../form-body.ts";
import { refuseOAuth } from "../oauth-problem.ts";
import { faultOf } from "../problem.ts";

const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
/** Ways to name a client (RFC 6749 §2.3.1, RFC 7521 §4.2) beside the one that there is here. */
const CREDENTIALS = ["client_id", "client_secret", "client_assertion", "client_assertion_type"];
/** What RFC 8693 §2.1 knows and this service does not do. Left unread, each would promise something. */
const NOT_EXCHANGED = ["actor_token", "actor_token_type", "resource", "scope"];

/** For back ends of `CLIENTS`: the exchange of tokens, whether one is good, and the end of a session. */
export const oauth = new Hono<Api>()
  .post("/token", async (c) => {
    const asked = await readClientRequest(c);
    if ("refused" in asked) return refuseOAuth(c, asked);
    const request = exchangeRequestOf(asked.form);
    if ("refused" in request) return refuseOAuth(c, request);
    const issued = await exchangeToken(c.get("service"), c.get("visit"), asked.client, request);
    if ("refused" in issued) return refuseOAuth(c, issued);
    const { accessToken: access_token, tokenType: token_type, expiresInSeconds: expires_in } = issued;
    return c.json({ access_token, issued_token_type: ACCESS_TOKEN, token_type, expires_in });
  })
  .post("/introspect", async (c) => {
    const asked = await readTokenRequest(c);
    if ("refused" in asked) return refuseOAuth(c, asked);
    const claims = await introspect(c.get("service"), c.get("visit"), asked.client, asked.token);
    if (!claims) return c.json({ active: false });
    return c.json({ active: true, ...claims, token_type: claims.cnf ? "DPoP" : "Bearer" });
  })
  .post("/revoke", async (c) => {
    const asked = await readTokenRequest(c);
    if ("refused" in asked) return refuseOAuth(c, asked);
    await revoke(c.get("service"), c.get("visit"), asked.client, asked.token);
    return c.body(null, 200);
  });

oauth.onError((error, c) => refuseOAuth(c, faultOf(error)));

/** The form of a request and the client that sent it. */
async function readClientRequest(c: Context<Api>): Promise<{ form: Form; client: Client } | Refusal | OAuthRefusal> {
  const read = await readForm(c);
  if ("refused" in read) return read;
  const client = authenticateClient(c.get("service"), clientCredentials(c));
  if ("refused" in client) return client;
  return CREDENTIALS.some((name) => read.form.has(name)) ? { refused: "client_named_twice" } : { ...read, client };
}

/** The token that a client asks about. A `token_type_hint` is no more than a hint (RFC 7009 §2.1, RFC 7662 §2.1). */
async function readTokenRequest(c: Context<Api>): Promise<{ token: string; client: Client } | Refusal | OAuthRefusal> {
  const asked = await readClientRequest(c);
  if ("refused" in asked) return asked;
  const token = asked.form.get("token");
  return token === undefined ? { refused: "parameter_missing", parameter: "token" } : { token, client: asked.client };
}

/** What an exchange asks for (RFC 8693 §2.1). */
function exchangeRequestOf(form: Form): ExchangeRequest | OAuthRefusal {
  const grantType = form.get("grant_type");
  if (grantType === undefined) return { refused: "parameter_missing", parameter: "grant_type" };
  if (grantType !== TOKEN_EXCHANGE) return { refused: "grant_type_unsupported" };
  const [subjectToken, audience] = [form.get("subject_token"), form.get("audience")];
  const missing = ["subject_token", "subject_token_type", "audience"].find((name) => !form.has(name));
  if (missing || subjectToken === undefined || audience === undefined) {
    return { refused: "parameter_missing", parameter: missing ?? "" };
  }
  const unsupported =
    NOT_EXCHANGED.find((name) => form.has(name)) ??
    ["subject_token_type", "requested_token_type"].find((name) => (form.get(name) ?? ACCESS_TOKEN) !== ACCESS_TOKEN);
  return unsupported ? { refused: "parameter_unsupported", parameter: unsupported } : { subjectToken, audience };
}
