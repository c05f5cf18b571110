import { createMiddleware } from "hono/factory";
import { nextNonce } from "../../flows/possession.ts";
import type { Api } from "../context.ts";

/** Tells whoever proves to hold a key what the next proof has to repeat (RFC 9449 §8.2), whatever became of this one. */
export const dpopNonce = createMiddleware<Api>(async (c, next) => {
  await next();
  if (c.get("visit").dpop === undefined) return;
  // Where the keys cannot be had the answer has said so, and is not to be replaced by another one.
  const nonce = await nextNonce(c.get("service"), c.get("visit")).catch(() => undefined);
  if (nonce !== undefined) c.header("DPoP-Nonce", nonce);
});
