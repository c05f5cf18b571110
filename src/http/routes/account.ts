import { Hono } from "hono";
import { endOtherSessions, endSession, listSessions, readProfile } from "../../flows/own-account.ts";
import { isRefusal } from "../../refusal.ts";
import { rfc3339 } from "../answer.ts";
import { signedIn } from "../bearer.ts";
import type { Api } from "../context.ts";
import { refuse } from "../problem.ts";

/** What a signed-in person sees of the own account. */
export const account = new Hono<Api>()
  .get("/me", async (c) => {
    const bearer = await signedIn(c);
    if (isRefusal(bearer)) return refuse(c, bearer);
    const profile = await readProfile(c.get("service"), bearer);
    if (isRefusal(profile)) return refuse(c, profile);
    const { acr, amr, auth_time, factors } = bearer;
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
  .get("/sessions", async (c) => {
    const bearer = await signedIn(c);
    if (isRefusal(bearer)) return refuse(c, bearer);
    const list = await listSessions(c.get("service"), bearer);
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
  .delete("/sessions", async (c) => {
    const bearer = await signedIn(c);
    if (isRefusal(bearer)) return refuse(c, bearer);
    const outcome = await endOtherSessions(c.get("service"), bearer);
    return isRefusal(outcome) ? refuse(c, outcome) : c.body(null, 204);
  })
  .delete("/sessions/:id", async (c) => {
    const bearer = await signedIn(c);
    if (isRefusal(bearer)) return refuse(c, bearer);
    const outcome = await endSession(c.get("service"), bearer, c.req.param("id"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.body(null, 204);
  });
