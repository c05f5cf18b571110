import type { Context } from "hono";
import type { ClientCredentials } from "../flows/authenticate-client.ts";
import type { Api } from "./context.ts";
import { formDecode } from "./form-body.ts";

/**
 * Id and secret of a client, from HTTP Basic alone (RFC 6749 §2.3.1: both are form-encoded inside). `undefined` for
 * anything else, two headers among it.
 */
export function clientCredentials(c: Context<Api>): ClientCredentials | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(c.req.header("Authorization") ?? "")?.[1];
  const pair = encoded === undefined ? undefined : decode(encoded);
  const [, first, second] = /^([^:]*):(.*)$/s.exec(pair ?? "") ?? [];
  if (first === undefined || second === undefined) return undefined;
  const [id, secret] = [formDecode(first), formDecode(second)];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Byte by byte: what is not ASCII is refused by who reads the form encoding. */
function decode(base64: string): string | undefined {
  try {
    return atob(base64);
  } catch {
    return undefined;
  }
}
