import type { Context } from "hono";
import * as v from "valibot";
import { admitAdmin } from "../flows/admin-access.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import { fieldError, malformed, readBody } from "./body.ts";
import type { Api } from "./context.ts";

/** Reads the parameters of a query, each at most once and none beside those of the schema. */
export function readQuery<S extends v.GenericSchema>(
  c: Context<Api>,
  schema: S,
): { value: v.InferOutput<S> } | Refusal {
  const given = [...new URL(c.req.url).searchParams];
  const names = given.map(([name]) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) return malformed([{ path: twice.slice(0, 64), message: "is there more than once" }]);
  const parsed = v.safeParse(schema, Object.fromEntries(given), { abortPipeEarly: true });
  return parsed.success ? { value: parsed.output } : malformed(parsed.issues.map(fieldError));
}

/**
 * Reads the body of what an admin wants done, and asks again whether he may: a body comes as slowly as its sender likes,
 * and role and proof have to be there when something is done.
 */
export async function readAct<S extends v.GenericSchema>(
  c: Context<Api>,
  schema: S,
  options: { mayBeEmpty?: boolean } = {},
): Promise<{ value: v.InferOutput<S> } | Refusal> {
  const body = await readBody(c, schema, options);
  if (isRefusal(body)) return body;
  const admitted = await admitAdmin(c.get("service"), c.get("bearer"), "write", c.get("visit").now);
  return isRefusal(admitted) ? admitted : body;
}
