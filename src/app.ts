import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { allowedMethods } from "./http/allowed-methods.ts";
import { browserCookies } from "./http/browser-cookies.ts";
import type { Api } from "./http/context.ts";
import { dpopNonce } from "./http/middleware/dpop-nonce.ts";
import { forwardedAddress } from "./http/middleware/forwarded-address.ts";
import { listedOrigins } from "./http/middleware/origins.ts";
import { ownHost } from "./http/middleware/own-host.ts";
import { requestId } from "./http/middleware/request-id.ts";
import { securityHeaders } from "./http/middleware/security-headers.ts";
import { shielded } from "./http/middleware/shield.ts";
import { faultOf, refuse } from "./http/problem.ts";
import { account } from "./http/routes/account.ts";
import { accountLife } from "./http/routes/account-life.ts";
import { adminEvents } from "./http/routes/admin-events.ts";
import { adminKeys } from "./http/routes/admin-keys.ts";
import { adminUsers } from "./http/routes/admin-users.ts";
import { factors } from "./http/routes/factors.ts";
import { oauth } from "./http/routes/oauth.ts";
import { passkeys } from "./http/routes/passkeys.ts";
import { publicDocuments } from "./http/routes/public-documents.ts";
import { recovery } from "./http/routes/recovery.ts";
import { registration } from "./http/routes/registration.ts";
import { secondFactor } from "./http/routes/second-factor.ts";
import { signIn } from "./http/routes/sign-in.ts";
import { logLine } from "./log.ts";
import { openService } from "./service.ts";
import { visitOf } from "./visit.ts";

/** The HTTP application: what every request passes, in this order, and where each route lives. */
export const app = new Hono<Api>();

/**
 * Opens the service for a request. With wrong settings or a wrong secret nothing is answered but 503, and the log
 * says what to mend.
 */
const openedService = createMiddleware<Api>(async (c, next) => {
  const { continent, longitude } = (c.req.raw.cf ?? {}) as { continent?: string; longitude?: string };
  const service = openService(c.env, (work) => c.executionCtx.waitUntil(work), { continent, longitude });
  if ("problems" in service) {
    for (const problem of service.problems) logLine({ level: "error", event: "misconfigured", problem });
    return refuse(c, { refused: "misconfigured" });
  }
  c.set("service", service);
  c.set("visit", visitOf(c.req.raw, browserCookies(c), c.get("requestId"), Date.now()));
  const answered = next();
  // Held past a client that hangs up: what has begun to change is finished, and its owner hears of it.
  service.waitUntil(Promise.allSettled([answered]));
  return answered;
});

app.use(requestId, securityHeaders, openedService, ownHost, forwardedAddress);
app.use("/auth/*", dpopNonce, listedOrigins, shielded);
app.use("/admin/api/*", dpopNonce, listedOrigins, shielded);
// For back ends and no pages: nothing here tells a browser that it may read the answer.
app.use("/oauth/*", dpopNonce, shielded);

app.route("/", publicDocuments);
app.route("/auth", registration);
app.route("/auth", signIn);
app.route("/auth", secondFactor);
app.route("/auth", factors);
app.route("/auth", passkeys);
app.route("/auth", account);
app.route("/auth", accountLife);
app.route("/auth", recovery);
app.route("/oauth", oauth);
app.route("/admin/api", adminEvents);
app.route("/admin/api", adminUsers);
app.route("/admin/api", adminKeys);

// A bare `false` in what is deployed: the bundler then drops the route and everything behind it.
if (DEVELOPMENT_MAILBOX) {
  app.get("/dev/mailbox", async (c) => {
    const { readMailbox } = c.get("service");
    if (!readMailbox) return refuse(c, { refused: "unknown_route" });
    return c.json({ messages: await readMailbox(c.req.query("to") ?? "") });
  });
}

app.notFound((c) => {
  const allow = allowedMethods(app.routes, c.req.path);
  return refuse(c, allow.length > 0 ? { refused: "wrong_method", allow } : { refused: "unknown_route" });
});

app.onError((error, c) => refuse(c, faultOf(error)));
