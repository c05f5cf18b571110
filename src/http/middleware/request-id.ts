import { createMiddleware } from "hono/factory";
import type { Api } from "../context.ts";

/** Names every request, in the answer and in the log. The name is ours: a client cannot choose what a log line says. */
export const requestId = createMiddleware<Api>((c, next) => {
  const id = crypto.randomUUID();
  c.set("requestId", id);
  c.header("X-Request-Id", id);
  return next();
});
