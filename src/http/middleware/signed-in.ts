import { createMiddleware } from "hono/factory";
import { authenticate, authenticateEnroller } from "../../flows/authenticate.ts";
import { isRefusal } from "../../refusal.ts";
import type { Api } from "../context.ts";
import { presentedToken } from "../presented-token.ts";
import { refuse } from "../problem.ts";

/** Lets in who brings an access token of ours. That its session lives is asked together with whatever the route does. */
export const signedIn = createMiddleware<Api>(async (c, next) => {
  const bearer = await authenticate(c.get("service"), c.get("visit"), presentedToken(c));
  if (isRefusal(bearer)) return refuse(c, bearer);
  c.set("bearer", bearer);
  return next();
});

/** The same for the routes that add a factor, where an enrolment token does as well. */
export const enrolling = createMiddleware<Api>(async (c, next) => {
  const enroller = await authenticateEnroller(c.get("service"), c.get("visit"), presentedToken(c));
  if (isRefusal(enroller)) return refuse(c, enroller);
  c.set("enroller", enroller);
  return next();
});
