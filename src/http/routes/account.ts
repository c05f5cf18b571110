import { Hono } from "hono";
import { forgetBrowser } from "../../flows/change-factors.ts";
import { endOtherSessions, endSession, listBrowsers, listSessions, readProfile } from "../../flows/own-account.ts";
import { isRefusal } from "../../refusal.ts";
import { rfc3339 } from "../answer.ts";
import type { Api } from "../context.ts";
import { signedIn } from "../middleware/signed-in.ts";
import { refuse } from "../problem.ts";

/** What a signed-in person sees of the own account. */
export const account = new Hono<Api>()
  .get("/me", signedIn, async (c) => {
    const profile = await readProfile(c.get("service"), c.get("bearer"));
    if (isRefusal(profile)) return refuse(c, profile);
    const { acr, amr, auth_time, factors } = c.get("bearer");
    const proven = Object.fromEntries(Object.entries(factors).map(([kind, at]) => [kind, rfc3339(at * 1000)]));
    const { id, email, roles } = profile;
    return c.json({
      id,
      email,
      email_verified: true,
      roles,
      acr,
      amr,
      auth_time: rfc3339(auth_time * 1000),
      factors: proven,
    });
  })
  .get("/sessions", signedIn, async (c) => {
    const list = await listSessions(c.get("service"), c.get("bearer"));
    if (isRefusal(list)) return refuse(c, list);
    const sessions = list.sessions.map(({ id, createdAt, lastUsedAt, expiresAt, userAgent, current }) => ({
      id,
      created_at: rfc3339(createdAt),
      last_used_at: rfc3339(lastUsedAt),
      expires_at: rfc3339(expiresAt),
      user_agent: userAgent,
      current,
    }));
    return c.json({ sessions });
  })
  .delete("/sessions", signedIn, async (c) => {
    const outcome = await endOtherSessions(c.get("service"), c.get("bearer"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.body(null, 204);
  })
  .get("/browsers", signedIn, async (c) => {
    const list = await listBrowsers(c.get("service"), c.get("visit"), c.get("bearer"));
    if (isRefusal(list)) return refuse(c, list);
    const browsers = list.browsers.map(({ id, userAgent, createdAt, lastUsedAt, trustedUntil, current }) => ({
      id,
      user_agent: userAgent,
      created_at: rfc3339(createdAt),
      last_used_at: rfc3339(lastUsedAt),
      trusted_until: trustedUntil === undefined ? null : rfc3339(trustedUntil),
      current,
    }));
    return c.json({ browsers });
  })
  .delete("/browsers/:id", signedIn, async (c) => {
    const outcome = await forgetBrowser(c.get("service"), c.get("bearer"), c.req.param("id"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.body(null, 204);
  })
  .delete("/sessions/:id", signedIn, async (c) => {
    const outcome = await endSession(c.get("service"), c.get("bearer"), c.req.param("id"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.body(null, 204);
  });
