import type { Context } from "hono";
import { authenticate } from "../flows/authenticate.ts";
import type { Refusal } from "../refusal.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import type { Api } from "./context.ts";

/** The bearer token of a request: one `Authorization` header, scheme `Bearer` in any case, one token (RFC 6750 §2.1). */
export function bearerToken(c: Context): string | undefined {
  return /^Bearer ([^\s,]+)$/i.exec(c.req.header("Authorization") ?? "")?.[1];
}

/** Who is signed in. That the session lives is asked together with whatever the route does. */
export function signedIn(c: Context<Api>): Promise<AccessToken | Refusal> {
  return authenticate(c.get("service"), c.get("visit"), bearerToken(c));
}
