import { createMiddleware } from "hono/factory";
import { authenticate } from "../../flows/authenticate.ts";
import { isRefusal } from "../../refusal.ts";
import { bearerToken } from "../bearer-token.ts";
import type { Api } from "../context.ts";
import { refuse } from "../problem.ts";

/** Lets in who brings an access token of ours. That its session lives is asked together with whatever the route does. */
export const signedIn = createMiddleware<Api>(async (c, next) => {
  const bearer = await authenticate(c.get("service"), c.get("visit"), bearerToken(c));
  if (isRefusal(bearer)) return refuse(c, bearer);
  c.set("bearer", bearer);
  return next();
});
