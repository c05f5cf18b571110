import type { Context } from "hono";
import * as v from "valibot";
import { BODY_MAX_BYTES } from "../policy.ts";
import type { FieldError, Refusal } from "../refusal.ts";
import { type JsonDefect, parseStrictJson } from "../strict-json.ts";
import type { Api } from "./context.ts";

/** Member names longer than this are cut where an error names them. */
const PATH_MAX = 64;

const DEFECTS: Record<JsonDefect, string> = {
  duplicate_member: "has two members with the same name",
  too_deep: "is nested too deeply",
  too_many_members: "has too many members",
  not_json: "is not JSON",
};

/** Reads a body that must be JSON of exactly this shape. Anything else is a refusal that says where and why. */
export async function readBody<S extends v.GenericSchema>(
  c: Context<Api>,
  schema: S,
  { mayBeEmpty = false, maxBytes = BODY_MAX_BYTES } = {},
): Promise<{ value: v.InferOutput<S> } | Refusal> {
  const { body, headers } = c.req.raw;
  if (!mayBeEmpty && !isJson(headers)) return { refused: "wrong_content_type" };
  if (Number(headers.get("Content-Length")) > maxBytes) return { refused: "body_too_large" };
  const text = await readText(body, maxBytes);
  if (typeof text !== "string") return text;
  // A body may come as slowly as its sender likes: what it asks for is asked now.
  c.set("visit", { ...c.get("visit"), now: Date.now() });
  const isEmpty = mayBeEmpty && text === "";
  if (!isEmpty && !isJson(headers)) return { refused: "wrong_content_type" };
  const json = parseStrictJson(isEmpty ? "{}" : text);
  if (typeof json === "string") return malformed([{ path: "", message: `the body ${DEFECTS[json]}` }]);
  if (typeof json.value !== "object" || json.value === null || Array.isArray(json.value)) {
    return malformed([{ path: "", message: "the body must be a JSON object" }]);
  }
  const parsed = v.safeParse(schema, json.value, { abortPipeEarly: true });
  return parsed.success ? { value: parsed.output } : malformed(parsed.issues.map(fieldError));
}

/** Exactly one media type, UTF-8 if anything, and no compression: what the scan below sees is what was sent. */
function isJson(headers: Headers): boolean {
  const type = /^application\/json(?:\s*;\s*charset=(?:utf-8|"utf-8"))?\s*$/i;
  return type.test(headers.get("Content-Type") ?? "") && (headers.get("Content-Encoding") ?? "identity") === "identity";
}

/** The body as text, UTF-8 and no longer than this. Counts bytes while reading: a declared length can lie or be absent. */
export async function readText(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<string | Refusal> {
  const bytes = new Uint8Array(maxBytes);
  let length = 0;
  try {
    for await (const chunk of body ?? []) {
      if (length + chunk.length > maxBytes) return { refused: "body_too_large" };
      bytes.set(chunk, length);
      length += chunk.length;
    }
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, length));
  } catch {
    return malformed([{ path: "", message: "the body is not UTF-8, or ended before its end" }]);
  }
}

/** What does not have its shape. */
export function malformed(errors: FieldError[]): Refusal {
  return { refused: "malformed_body", errors };
}

/** Where and how something breaks its schema. */
export function fieldError(issue: v.BaseIssue<unknown>): FieldError {
  const path = (v.getDotPath(issue) ?? "").slice(0, PATH_MAX);
  if (issue.type === "strict_object" && issue.expected === "never") return { path, message: "is not a known member" };
  if (issue.received === "undefined") return { path, message: "is required" };
  return { path, message: issue.kind === "schema" ? `must be ${issue.expected ?? "something else"}` : issue.message };
}
