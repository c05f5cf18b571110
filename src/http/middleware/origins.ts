import { createMiddleware } from "hono/factory";
import { CORS_MAX_AGE_SECONDS } from "../../policy.ts";
import type { Api } from "../context.ts";
import { refuse } from "../problem.ts";

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
const EXPOSED = "WWW-Authenticate, Retry-After, DPoP-Nonce, X-Request-Id";
const PREFLIGHT = {
  "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
  "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP, X-Request-Id",
  "Access-Control-Max-Age": String(CORS_MAX_AGE_SECONDS),
};

/**
 * Which browser pages may talk to the API: exact origins from the list, credentials included. Any other page is
 * refused, and a page that hides where it is cannot change anything.
 */
export const listedOrigins = createMiddleware<Api>(async (c, next) => {
  c.header("Vary", "Origin", { append: true });
  const origin = c.req.header("Origin");
  if (origin === undefined) {
    const site = c.req.header("Sec-Fetch-Site");
    const hidden = site !== undefined && site !== "same-origin" && !SAFE_METHODS.has(c.req.method);
    return hidden ? refuse(c, { refused: "unlisted_origin" }) : next();
  }
  if (!c.get("service").config.allowedOrigins.has(origin)) return refuse(c, { refused: "unlisted_origin" });
  c.header("Access-Control-Allow-Origin", origin);
  c.header("Access-Control-Allow-Credentials", "true");
  const isPreflight = c.req.method === "OPTIONS" && c.req.header("Access-Control-Request-Method") !== undefined;
  if (isPreflight) return c.body(null, 204, PREFLIGHT);
  c.header("Access-Control-Expose-Headers", EXPOSED);
  return next();
});

/** Public documents: for every page, without credentials. */
export const anyOrigin = createMiddleware<Api>((c, next) => {
  c.header("Access-Control-Allow-Origin", "*");
  c.header("Cross-Origin-Resource-Policy", "cross-origin");
  return next();
});
