import { createMiddleware } from "hono/factory";
import { SHIELD } from "../../edge-policy.ts";
import type { Api } from "../context.ts";
import { refuse } from "../problem.ts";

/**
 * Takes the top off a flood, before a body is read: only POST, since every route that hashes a password or wakes an
 * object for whoever asks is one. No round trip to storage.
 */
export const shielded = createMiddleware<Api>(async (c, next) => {
  if (c.req.method !== "POST" || (await c.get("service").passesShield(c.get("visit")))) return next();
  return refuse(c, { refused: "shielded", retryAfterSeconds: SHIELD.periodSeconds });
});
