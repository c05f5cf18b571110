import type { Context } from "hono";
import type { Refusal } from "../refusal.ts";
import type { Api } from "./context.ts";
import { isBrowserRequest } from "./host-cookies.ts";

/** Asking for a service that is not configured is an error, not a silent default. */
export function audienceProblem(c: Context<Api>, audience: string | undefined): Refusal | undefined {
  const { issuer, audiences } = c.get("service").config;
  if (audience === undefined || audience === issuer || audiences.has(audience)) return undefined;
  return { refused: "malformed_body", errors: [{ path: "audience", message: "is not an audience of this service" }] };
}

/** Proof of a kind that is not offered is an error: passed over, it would not be told from one that is good. */
export function proofProblem(c: Context<Api>, kind: "mail_link" | "turnstile" | undefined): Refusal | undefined {
  if (kind !== "turnstile" || c.get("service").config.botCheck) return undefined;
  return {
    refused: "malformed_body",
    errors: [{ path: "proof.kind", message: "is not one that this service offers" }],
  };
}

/** A page may read its refresh token only where a stolen one is worth nothing: bound to a key (RFC 9449). */
export function deliveryProblem(c: Context<Api>, delivery: "body" | undefined): Refusal | undefined {
  if (delivery === undefined || !isBrowserRequest(c) || c.get("visit").dpop !== undefined) return undefined;
  const message = "needs a DPoP proof: without one a browser's refresh token is a cookie";
  return { refused: "malformed_body", errors: [{ path: "token_delivery", message }] };
}
