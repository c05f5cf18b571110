import type { Context } from "hono";
import { BODY_MAX_BYTES } from "../policy.ts";
import { isRefusal, type OAuthRefusal, type Refusal } from "../refusal.ts";
import { readText } from "./body.ts";
import type { Api } from "./context.ts";

/** The parameters of a form that have a value. */
export type Form = ReadonlyMap<string, string>;

/**
 * Reads a body that must be a form (RFC 6749 §3.2): no parameter twice, and one without a value counts as left out.
 * Anything else is a refusal.
 */
export async function readForm(c: Context<Api>): Promise<{ form: Form } | Refusal | OAuthRefusal> {
  const { body, headers } = c.req.raw;
  if (!isForm(headers)) return { refused: "wrong_content_type" };
  if (Number(headers.get("Content-Length")) > BODY_MAX_BYTES) return { refused: "body_too_large" };
  const text = await readText(body, BODY_MAX_BYTES);
  if (typeof text !== "string") return isMalformed(text) ? { refused: "form_malformed" } : text;
  // A body may come as slowly as its sender likes: what it asks for is asked now.
  c.set("visit", { ...c.get("visit"), now: Date.now() });
  const form = parseForm(text);
  return form ? { form } : { refused: "form_malformed" };
}

/** The parameters of a form; `undefined` where its encoding is broken or a parameter stands in it twice. */
export function parseForm(text: string): Form | undefined {
  const form = new Map<string, string>();
  const names = new Set<string>();
  for (const pair of text.split("&").filter((part) => part !== "")) {
    const [name, value] = [formDecode(pair.replace(/=.*$/s, "")), formDecode(pair.replace(/^[^=]*=?/, ""))];
    if (name === undefined || value === undefined || names.has(name)) return undefined;
    names.add(name);
    if (value !== "") form.set(name, value);
  }
  return form;
}

/** Takes back what a form does to a text: printable ASCII in, UTF-8 out. `undefined` for a broken encoding. */
export function formDecode(text: string): string | undefined {
  if (!/^[\x21-\x7e]*$/.test(text)) return undefined;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

function isForm(headers: Headers): boolean {
  const type = /^application\/x-www-form-urlencoded(?:\s*;\s*charset=(?:utf-8|"utf-8"))?\s*$/i;
  return type.test(headers.get("Content-Type") ?? "") && (headers.get("Content-Encoding") ?? "identity") === "identity";
}

function isMalformed(refusal: Refusal): boolean {
  return isRefusal(refusal) && refusal.refused === "malformed_body";
}
