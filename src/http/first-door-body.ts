import type { Context } from "hono";
import type * as v from "valibot";
import { countAgainstSource } from "../flows/first-door.ts";
import { BODY_MAX_BYTES } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import { readBody } from "./body.ts";
import type { Api } from "./context.ts";

/** Reads the body of a first door. A malformed one is a failure of its source, counted after the answer. */
export async function readFirstDoorBody<S extends v.GenericSchema>(
  c: Context<Api>,
  schema: S,
  maxBytes = BODY_MAX_BYTES,
): Promise<{ value: v.InferOutput<S> } | Refusal> {
  const body = await readBody(c, schema, { maxBytes });
  if (isRefusal(body)) c.get("service").waitUntil(countAgainstSource(c.get("service"), c.get("visit")));
  return body;
}
