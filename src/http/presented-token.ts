import type { Context } from "hono";
import type { PresentedToken } from "../flows/authenticate.ts";

/**
 * The access token of a request: one `Authorization` header, scheme `Bearer` or `DPoP` in any case, one token
 * (RFC 6750 §2.1, RFC 9449 §7.1).
 */
export function presentedToken(c: Context): PresentedToken | undefined {
  const [, scheme, token] = /^(Bearer|DPoP) ([^\s,]+)$/i.exec(c.req.header("Authorization") ?? "") ?? [];
  if (scheme === undefined || token === undefined) return undefined;
  return { scheme: scheme.toLowerCase() === "dpop" ? "DPoP" : "Bearer", token };
}
