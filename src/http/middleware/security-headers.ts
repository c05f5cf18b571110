import { etag, RETAINED_304_HEADERS } from "hono/etag";
import { createMiddleware } from "hono/factory";
import type { Api } from "../context.ts";

const HEADERS = {
  "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
  "Cache-Control": "no-store",
};

/**
 * Headers of every answer, errors included. Answers are not cached and not embeddable unless the route says otherwise
 * (public documents do). Before the route, and not after it: each header that is added to a finished answer makes it anew.
 */
export const securityHeaders = createMiddleware<Api>((c, next) => {
  for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
  return next();
});

/** What an answer keeps that says "not modified", beside what RFC 9110 §15.4.5 asks for: the headers of every answer. */
export const revalidated = etag({
  retainedHeaders: [
    ...RETAINED_304_HEADERS,
    ...Object.keys(HEADERS),
    ...["Access-Control-Allow-Origin", "X-Request-Id"],
  ],
});
