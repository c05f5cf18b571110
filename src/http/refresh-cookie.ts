import type { Context } from "hono";
import type { Refusal } from "../refusal.ts";
import type { Api } from "./context.ts";
import { hostCookies, setHostCookie } from "./host-cookies.ts";

const NAME = "__Host-sallyport_rt";

/** Hands the refresh token to the browser, out of reach of its scripts. */
export function setRefreshCookie(c: Context, token: string, maxAgeSeconds: number): void {
  setHostCookie(c, NAME, token, maxAgeSeconds);
}

/** Takes the cookie back, with the attributes it was set with. */
export function clearRefreshCookie(c: Context): void {
  setRefreshCookie(c, "", 0);
}

const LEAVES_SESSION = new Set<Refusal["refused"]>([
  "dpop_nonce_needed",
  "dpop_proof_wrong",
  "proof_of_another_key",
  "proof_expired",
  "proof_replayed",
  "too_many_proofs",
  "audience_unknown",
  "proof_below_audience",
  "change_under_way",
  "keys_behind",
]);

/** Whether a refused refresh can be asked for again, with the same token. */
export function leavesSession({ refused }: Refusal): boolean {
  return LEAVES_SESSION.has(refused);
}

/**
 * The refresh token that a request brings: in the body, or in the cookie. A cookie travels by itself, so it counts only
 * from a listed origin of the same site; otherwise it is not even looked at. `undefined` when there is none.
 */
export function presentedRefreshToken(
  c: Context<Api>,
  inBody: string | undefined,
): { token: string | undefined; fromCookie: boolean } | Refusal {
  const cookies = hostCookies(c, NAME);
  if (cookies.length === 0) return { token: inBody, fromCookie: false };
  if (!mayUseCookie(c)) return { refused: "unlisted_origin" };
  if (inBody !== undefined) return ambiguous("send the refresh token in the cookie or in the body, not in both");
  const [token, second] = cookies;
  // Two header lines arrive as one, joined by a comma.
  const isOne = second === undefined && !token?.includes(",");
  return isOne ? { token, fromCookie: true } : ambiguous("the refresh cookie was sent twice");
}

/** The listing itself was checked before the route; here, that there is an origin at all and that the site is ours. */
function mayUseCookie(c: Context<Api>): boolean {
  const site = c.req.header("Sec-Fetch-Site");
  return c.req.header("Origin") !== undefined && (site === undefined || site === "same-origin" || site === "same-site");
}

function ambiguous(message: string): Refusal {
  return { refused: "malformed_body", errors: [{ path: "refresh_token", message }] };
}
