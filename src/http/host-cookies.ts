import type { Context } from "hono";

const ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict";

/** Whether a browser sent this. `Sec-Fetch-Mode` alone does not count: Node's `fetch` sends it too. */
export function isBrowserRequest(c: Context): boolean {
  return c.req.header("Origin") !== undefined || c.req.header("Sec-Fetch-Site") !== undefined;
}

/** Sets a cookie for this host alone, out of reach of scripts. `name` begins with `__Host-`. */
export function setHostCookie(c: Context, name: string, value: string, maxAgeSeconds: number): void {
  c.header("Set-Cookie", `${name}=${value}; ${ATTRIBUTES}; Max-Age=${maxAgeSeconds}`, { append: true });
}

/** The values of every cookie of this name. */
export function hostCookies(c: Context, name: string): string[] {
  // Space and tab alone (RFC 6265 §5.2): a name behind any other white space has no `__Host-` prefix for the browser, so
  // a sibling host could have set it.
  const pairs = (c.req.header("Cookie") ?? "").split(";").map((pair) => pair.replace(/^[ \t]+|[ \t]+$/g, ""));
  return pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
}
