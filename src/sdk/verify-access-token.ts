import { CLOCK_TOLERANCE_MAX_SECONDS, CLOCK_TOLERANCE_SECONDS, DPOP_PROOF_AGE_SECONDS } from "../token-policy.ts";
import { type AccessTokenClaims, readAccessToken } from "./access-token.ts";
import { readDpopProof } from "./dpop-proof.ts";
import { type KeySet, sharedKeysOf } from "./key-set.ts";
import type { SeenProof, ShownProof } from "./proof-memory.ts";
import { TokenRefused } from "./refused.ts";
import type { RevokedSessions } from "./revoked-sessions.ts";
import type { Hold } from "./shared-work.ts";

/** What a request brought to prove that it has the key of its token. */
export interface PresentedProof {
  /** The `DPoP` header, if there was one. */
  proof: string | undefined;
  /** The request's method, as it was sent. */
  method: string;
  /** The request's absolute address, as the client knows it: behind a proxy, the public one. */
  url: string;
  /**
   * Remembers the proof, and tells whether it was shown before: each is good once (RFC 9449 §11.1). Asked last, of
   * proofs that are good otherwise. Without it a proof can be shown again for two minutes, by whoever has seen it and
   * the token, for the same request.
   */
  seenProof?: SeenProof;
}

/** What a service demands of the tokens that it is shown. */
export interface VerifierOptions {
  /** The origin of the authentication service. */
  issuer: string;
  /** The name of this service, one of the issuer's `AUDIENCES`. */
  audience: string;
  /** How far the clocks may differ: 0 to 60, default 30. */
  clockToleranceSeconds?: number;
  /** Default: those that the issuer publishes, fetched once for the whole process. */
  keys?: KeySet;
  /** The issuer's list of ended sessions. Without it a token is good until it expires. */
  revokedSessions?: RevokedSessions;
  /** Needed for tokens that are bound to a key (RFC 9449); without it they are refused. */
  dpop?: PresentedProof;
  /**
   * On Workers, and there it is needed, the `waitUntil` of the request: without it a client that hangs up takes along the
   * fetch that others wait for, and many who do so in turns keep the keys from everybody. `requireAuth` sees to it.
   */
  waitUntil?: Hold;
  /** Epoch milliseconds. Default: `Date.now`. */
  now?: () => number;
}

/**
 * Verifies an access token for this service and gives what it says. Throws {@link TokenRefused} for a token that is not
 * good (401), {@link KeysUnavailable} when that cannot be known now (503), and a `TypeError` for options out of bounds.
 *
 * @example
 * const { sub, roles = [] } = await verifyAccessToken(token, { issuer: "https://auth.example.com", audience: "orders" });
 */
export async function verifyAccessToken(token: string, options: VerifierOptions): Promise<AccessTokenClaims> {
  checkOptions(options);
  const { issuer, audience, clockToleranceSeconds = CLOCK_TOLERANCE_SECONDS, keys = sharedKeysOf(issuer) } = options;
  const now = options.now?.() ?? Date.now();
  const keyFor = (kid: string) => keys.keyFor(kid, options.waitUntil);
  const claims = await readAccessToken(token, { issuer, audience, keyFor, now, clockToleranceSeconds });
  if ("defect" in claims) throw new TokenRefused(claims.defect);
  const proof = claims.cnf && (await possessionOf(token, claims.cnf.jkt, options.dpop, now));
  if (await options.revokedSessions?.isRevoked(claims, options.waitUntil)) throw new TokenRefused("revoked");
  if (proof && (await options.dpop?.seenProof?.(proof))) throw new TokenRefused("replayed_proof");
  return claims;
}

/** As `iss` is written. With a slash behind it, or a path, no token would ever fit. */
const ORIGIN = /^https?:\/\/[^/?#@\s]+$/;

/** Throws a `TypeError` for options with which nothing can be verified rightly. */
export function checkOptions({ issuer, audience, clockToleranceSeconds: tolerance = 0 }: VerifierOptions): void {
  if (typeof issuer !== "string" || !ORIGIN.test(issuer)) {
    throw new TypeError(
      "issuer must be the issuer's origin, such as https://auth.example.com, without a slash behind it",
    );
  }
  if (typeof audience !== "string" || audience === "") throw new TypeError("audience must be the name of this service");
  if (typeof tolerance !== "number" || !(tolerance >= 0 && tolerance <= CLOCK_TOLERANCE_MAX_SECONDS)) {
    throw new TypeError(`clockToleranceSeconds must be 0 to ${CLOCK_TOLERANCE_MAX_SECONDS}`);
  }
}

/** The proof must be for this request, for this token, and by the key that the token names (RFC 9449 §7.1). */
async function possessionOf(
  token: string,
  jkt: string,
  presented: PresentedProof | undefined,
  now: number,
): Promise<ShownProof> {
  if (presented?.proof === undefined) throw new TokenRefused("proof_missing");
  const { proof, method, url } = presented;
  const read = await readDpopProof(proof, { method, url, now, accessToken: token });
  if ("defect" in read || read.jkt !== jkt) throw new TokenRefused("invalid_proof");
  return { jkt, jti: read.jti, expiresAt: (read.issuedAt + DPOP_PROOF_AGE_SECONDS) * 1000 };
}
