import type { Context } from "hono";

/** The bearer token of a request: one `Authorization` header, scheme `Bearer` in any case, one token (RFC 6750 §2.1). */
export function bearerToken(c: Context): string | undefined {
  return /^Bearer ([^\s,]+)$/i.exec(c.req.header("Authorization") ?? "")?.[1];
}
