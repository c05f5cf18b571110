import type { Context } from "hono";
import type { Refusal } from "../refusal.ts";
import type { Api } from "./context.ts";

/** The only audience there is so far is the service itself; asking for another is an error, not a silent default. */
export function audienceProblem(c: Context<Api>, audience: string | undefined): Refusal | undefined {
  const { issuer } = c.get("service").config;
  if (audience === undefined || audience === issuer) return undefined;
  return { refused: "malformed_body", errors: [{ path: "audience", message: "is not an audience of this service" }] };
}
