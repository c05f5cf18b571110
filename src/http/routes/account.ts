import { Hono } from "hono";
import { forgetBrowser } from "../../flows/change-factors.ts";
import {
  endOtherSessions,
  endSession,
  listActivity,
  listBrowsers,
  listSessions,
  readProfile,
} from "../../flows/own-account.ts";
import { isRefusal } from "../../refusal.ts";
import { activityMembers, browserMembers, recoveryMembers, rfc3339, sessionMembers } from "../account-members.ts";
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
    const { id, email, emailVerified, roles } = profile;
    return c.json({
      id,
      email,
      email_verified: emailVerified,
      roles,
      acr,
      amr,
      auth_time: rfc3339(auth_time * 1000),
      factors: proven,
      ...recoveryMembers(profile),
    });
  })
  .get("/sessions", signedIn, async (c) => {
    const list = await listSessions(c.get("service"), c.get("bearer"));
    if (isRefusal(list)) return refuse(c, list);
    return c.json({ sessions: list.sessions.map(sessionMembers) });
  })
  .delete("/sessions", signedIn, async (c) => {
    const outcome = await endOtherSessions(c.get("service"), c.get("visit"), c.get("bearer"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.body(null, 204);
  })
  .get("/activity", signedIn, async (c) => {
    const list = await listActivity(c.get("service"), c.get("bearer"));
    if (isRefusal(list)) return refuse(c, list);
    const { sessionId } = c.get("bearer");
    return c.json({ events: list.events.map((event) => activityMembers(event, sessionId)) });
  })
  .get("/browsers", signedIn, async (c) => {
    const list = await listBrowsers(c.get("service"), c.get("visit"), c.get("bearer"));
    if (isRefusal(list)) return refuse(c, list);
    return c.json({ browsers: list.browsers.map(browserMembers) });
  })
  .delete("/browsers/:id", signedIn, async (c) => {
    const outcome = await forgetBrowser(c.get("service"), c.get("visit"), c.get("bearer"), c.req.param("id"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.body(null, 204);
  })
  .delete("/sessions/:id", signedIn, async (c) => {
    const outcome = await endSession(c.get("service"), c.get("visit"), c.get("bearer"), c.req.param("id"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.body(null, 204);
  });
