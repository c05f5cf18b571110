import { Hono } from "hono";
import {
  checkReadiness,
  readJwks,
  readMetadata,
  readRelatedOrigins,
  readRevokedSessions,
} from "../../flows/public-documents.ts";
import { isRefusal } from "../../refusal.ts";
import { JWKS_MAX_AGE_SECONDS, REVOKED_SESSIONS_MAX_AGE_SECONDS } from "../../token-policy.ts";
import type { Api } from "../context.ts";
import { anyOrigin } from "../middleware/origins.ts";
import { revalidated } from "../middleware/security-headers.ts";
import { refuse } from "../problem.ts";

const CACHEABLE = `public, max-age=${JWKS_MAX_AGE_SECONDS}, stale-while-revalidate=60`;
const REVOKED_SESSIONS_HEADERS = {
  "Content-Type": "application/jwt",
  "Cache-Control": `public, max-age=${REVOKED_SESSIONS_MAX_AGE_SECONDS}`,
};

/** What anybody may read: the signing keys, and whether the service is up. */
export const publicDocuments = new Hono<Api>()
  .get("/.well-known/jwks.json", anyOrigin, revalidated, async (c) => {
    const jwks = await readJwks(c.get("service"), c.get("visit"));
    return c.json(jwks, 200, { "Cache-Control": CACHEABLE });
  })
  .get("/.well-known/oauth-authorization-server", anyOrigin, revalidated, (c) =>
    c.json(readMetadata(c.get("service")), 200, { "Cache-Control": CACHEABLE }),
  )
  .get("/.well-known/revoked-sessions", anyOrigin, async (c) =>
    c.body(await readRevokedSessions(c.get("service"), c.get("visit")), 200, REVOKED_SESSIONS_HEADERS),
  )
  .get("/.well-known/webauthn", anyOrigin, (c) => {
    const related = readRelatedOrigins(c.get("service"));
    return isRefusal(related) ? refuse(c, related) : c.json(related, 200, { "Cache-Control": CACHEABLE });
  })
  .get("/healthz", (c) => c.json({ status: "ok" }))
  .get("/readyz", async (c) => {
    const readiness = await checkReadiness(c.get("service"));
    return isRefusal(readiness) ? refuse(c, readiness) : c.json({ status: "ok" });
  });
