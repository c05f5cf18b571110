// A Worker behind Sallyport. `requireAuth` answers every request that is not good enough, so what stands after it may
// believe the claims.

import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { publishedKeys, requireAuth } from "sallyport/verify";

// `||`: a variable that is set but empty means "as usual".
const issuer = env.ISSUER;
const audience = env.AUDIENCE || issuer;
const keys = publishedKeys(issuer, env.JWKS_URL ? { jwksUri: env.JWKS_URL } : {});

const app = new Hono();

// Whoever is signed in.
app.get("/me", requireAuth({ issuer, audience, keys }), (c) => {
  const { sub, acr, amr, auth_time, sid } = c.get("auth");
  return c.json({ sub, acr, amr, auth_time, sid });
});

// Who is an administrator and has proven two factors within the last five minutes. Anybody else is told what is missing
// (RFC 9470), and a client can have its user step up.
app.get("/reports", requireAuth({ issuer, audience, keys, acr: "aal2", maxAge: 300, roles: ["admin"] }), (c) =>
  c.json({ reports: [] }),
);

export default app;
