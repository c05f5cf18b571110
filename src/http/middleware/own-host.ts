import { createMiddleware } from "hono/factory";
import type { Api } from "../context.ts";
import { refuse } from "../problem.ts";

/** Answers only for the issuer's host (RFC 9110 §15.5.20), and over plain HTTP only where the issuer is localhost. */
export const ownHost = createMiddleware<Api>(async (c, next) => {
  const { config } = c.get("service");
  if (!URL.canParse(c.req.url)) return refuse(c, { refused: "wrong_host" });
  const { host, protocol } = new URL(c.req.url);
  if (host !== new URL(config.issuer).host) return refuse(c, { refused: "wrong_host" });
  if (protocol !== "https:" && !config.isLocal) return refuse(c, { refused: "plain_http" });
  return next();
});
