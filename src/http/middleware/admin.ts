import { createMiddleware } from "hono/factory";
import { type AdminNeed, admitAdmin } from "../../flows/admin-access.ts";
import { authenticate } from "../../flows/authenticate.ts";
import { isRefusal } from "../../refusal.ts";
import type { Api } from "../context.ts";
import { presentedToken } from "../presented-token.ts";
import { refuse } from "../problem.ts";

/** Lets in admins alone, before anything else of the request is looked at. */
const adminsWho = (need: AdminNeed) =>
  createMiddleware<Api>(async (c, next) => {
    const [service, visit] = [c.get("service"), c.get("visit")];
    const bearer = await authenticate(service, visit, presentedToken(c));
    if (isRefusal(bearer)) return refuse(c, bearer);
    const admitted = await admitAdmin(service, bearer, need, visit.now);
    if (isRefusal(admitted)) return refuse(c, admitted);
    c.set("bearer", bearer);
    return next();
  });

/** For what is only looked at. */
export const adminReads = adminsWho("read");

/** For what changes something: a factor of a moment ago. */
export const adminWrites = adminsWho("write");
