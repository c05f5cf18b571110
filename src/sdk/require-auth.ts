import type { Context, MiddlewareHandler } from "hono";
import { JWKS_RETRY_MS } from "../token-policy.ts";
import type { AccessTokenClaims } from "./access-token.ts";
import { sharedKeysOf } from "./key-set.ts";
import { proofMemory, type SeenProof } from "./proof-memory.ts";
import { KeysUnavailable, type TokenDefect, TokenRefused } from "./refused.ts";
import type { Hold } from "./shared-work.ts";
import { checkOptions, type VerifierOptions, verifyAccessToken } from "./verify-access-token.ts";

/** Authentication context classes, weakest first: who asks for `aal2` is not content with `aal2-recovery`. */
const ACRS = ["aal1", "aal2-recovery", "aal2"] as const;

/** What a route demands of who calls it. */
export interface RequireAuthOptions extends Omit<VerifierOptions, "dpop"> {
  /** The least that the sign-in must be worth. */
  acr?: (typeof ACRS)[number];
  /** Seconds since the user last proved anything. A refresh does not count, a step-up does. */
  maxAge?: number;
  /** All of them are needed. */
  roles?: readonly string[];
  /**
   * The origin under which clients know this service, for proofs of possession. Default: that of the request's URL,
   * which is right on Workers. Set it behind a proxy, and wherever the URL is made of a `Host` header that anyone may
   * write (Node): a proof made for another service would do otherwise. A proxy must leave the path as it is.
   */
  origin?: string;
  /** Remembers proofs of possession, each of which is good once. Default: a memory of this middleware, in this process. */
  seenProof?: SeenProof;
}

/** What the middleware gives to the handlers behind it: `c.get("auth")` is what the token says. */
export interface AuthEnv {
  Variables: { auth: AccessTokenClaims };
}

/** The credentials of a request: a token under one of the two schemes that tokens come under. */
interface Presented {
  scheme: (typeof SCHEMES)[number];
  token: string;
}

/** Every option there is; a new one does not compile until it is here. */
const OPTIONS: Record<keyof RequireAuthOptions, true> = {
  issuer: true,
  audience: true,
  clockToleranceSeconds: true,
  keys: true,
  revokedSessions: true,
  waitUntil: true,
  now: true,
  acr: true,
  maxAge: true,
  roles: true,
  origin: true,
  seenProof: true,
};
const SCHEMES = ["Bearer", "DPoP"] as const;
const TITLES = { 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable" } as const;
/** Defects of the proof beside a token, which its client can mend by itself. */
const PROOF_DEFECTS: TokenDefect[] = ["proof_missing", "invalid_proof", "replayed_proof"];

/**
 * Lets in who brings an access token for this service that is good, strong and fresh enough. Others are answered as RFC
 * 6750 §3, RFC 9470 §3 and RFC 9449 §7.1 say: 401 with a challenge, 403 without the roles, 503 when the keys or the list
 * of ended sessions cannot be had. Throws a `TypeError`, when the middleware is built, for options out of bounds.
 *
 * @example
 * const app = new Hono<AuthEnv>();
 * app.use("/orders/*", requireAuth({ issuer: "https://auth.example.com", audience: "orders", acr: "aal2" }));
 * app.get("/orders/mine", (c) => c.json({ owner: c.get("auth").sub }));
 */
export function requireAuth(options: RequireAuthOptions): MiddlewareHandler<AuthEnv> {
  checkDemands(options);
  const { seenProof = proofMemory(options.now), keys = sharedKeysOf(options.issuer), now = Date.now } = options;
  return async function requireAuth(c, next) {
    const presented = presentedIn(c.req.header("Authorization"));
    if (!presented) return refusal(c, 401, "Bearer");
    const { scheme, token } = presented;
    if (token === "") return refusal(c, 401, challenge(scheme, "invalid_token"));
    const proof = { proof: c.req.header("DPoP"), method: c.req.method, url: urlOf(c, options.origin) };
    const dpop = { ...proof, seenProof: onceFor(c, seenProof) };
    try {
      const held = { waitUntil: options.waitUntil ?? holdOf(c) };
      const proven = scheme === "DPoP" ? { dpop } : {};
      const claims = await verifyAccessToken(token, { ...options, ...held, keys, ...proven });
      // A token that is bound to no key gains nothing by a proof, and its client is mistaken about it.
      if (scheme === "DPoP" && !claims.cnf) return refusal(c, 401, challenge(scheme, "invalid_token"));
      const lacking = lackOf(claims, options, now());
      if (lacking) return refusal(c, lacking.status, challenge(scheme, lacking.error, lacking.wanted));
      c.set("auth", claims);
    } catch (error) {
      return answerTo(c, scheme, error);
    }
    return next();
  };
}

/** The request's own `waitUntil`. Where the platform has none, what is begun goes on by itself. */
function holdOf(c: Context): Hold {
  return (work) => {
    try {
      c.executionCtx.waitUntil(work);
    } catch {
      // Hono throws where there is no execution context.
    }
  };
}

/** Memories that the proof of a request has been counted in. */
const counted = new WeakMap<Context, Set<SeenProof>>();

/** A memory that counts the proof of one request once, however many middlewares of one application share it. */
function onceFor(c: Context, seenProof: SeenProof): SeenProof {
  return async (proof) => {
    const memories = counted.get(c) ?? new Set();
    if (memories.has(seenProof)) return false;
    counted.set(c, memories.add(seenProof));
    return seenProof(proof);
  };
}

/** One header with one token, under a scheme in any case (RFC 6750 §2.1). The token is empty where that is not so. */
function presentedIn(authorization = ""): Presented | undefined {
  const [name = ""] = authorization.split(/[ ,]/, 1);
  const scheme = SCHEMES.find((known) => known.toLowerCase() === name.toLowerCase());
  return scheme && { scheme, token: /^\S+ +([^\s,]+)$/.exec(authorization)?.[1] ?? "" };
}

function urlOf(c: Context, origin: string | undefined): string {
  return origin === undefined ? c.req.url : `${origin}${new URL(c.req.url).pathname}`;
}

/** What a good token lacks. Roles first: no step-up gives one. */
function lackOf(claims: AccessTokenClaims, { acr, maxAge, roles = [] }: RequireAuthOptions, now: number) {
  const held = claims.roles ?? [];
  if (!roles.every((role) => held.includes(role))) return { status: 403, error: "insufficient_scope" } as const;
  const isStrong = acr === undefined || rankOf(claims.acr) >= rankOf(acr);
  const isFresh = maxAge === undefined || now / 1000 <= claims.auth_time + maxAge;
  if (isStrong && isFresh) return undefined;
  const wanted = { ...(acr ? { acr_values: `"${acr}"` } : {}), ...(maxAge ? { max_age: String(maxAge) } : {}) };
  return { status: 401, error: "insufficient_user_authentication", wanted } as const;
}

/** A class that is not known is worth less than any other. */
function rankOf(acr: string): number {
  return (ACRS as readonly string[]).indexOf(acr);
}

/** What was thrown, as an answer. Faults of our own go on to whoever handles them in the application. */
function answerTo(c: Context, scheme: Presented["scheme"], error: unknown): Response {
  if (error instanceof KeysUnavailable) return refusal(c, 503);
  if (!(error instanceof TokenRefused)) throw error;
  const isAboutProof = scheme === "DPoP" && PROOF_DEFECTS.includes(error.code);
  return refusal(c, 401, challenge(scheme, isAboutProof ? "invalid_dpop_proof" : "invalid_token"));
}

function challenge(scheme: Presented["scheme"], error: string, wanted: Record<string, string> = {}): string {
  const algs = scheme === "DPoP" ? { algs: '"ES256"' } : {};
  const parameters = Object.entries({ error: `"${error}"`, ...wanted, ...algs });
  return `${scheme} ${parameters.map(([name, value]) => `${name}=${value}`).join(", ")}`;
}

/** An answer that says no more than its status (RFC 9457 §4.2.1): why a token is bad is nobody's business but the log's. */
function refusal(c: Context, status: keyof typeof TITLES, authenticate?: string): Response {
  const problem = { type: "about:blank", title: TITLES[status], status };
  return c.body(JSON.stringify(problem), status, {
    "Content-Type": "application/problem+json",
    "Cache-Control": "no-store",
    ...(authenticate === undefined
      ? { "Retry-After": String(JWKS_RETRY_MS / 1000) }
      : { "WWW-Authenticate": authenticate }),
  });
}

function checkDemands(options: RequireAuthOptions): void {
  checkOptions(options);
  const { acr, maxAge, roles, origin, revokedSessions, seenProof } = options;
  const areNames = Array.isArray(roles) && roles.every((role) => typeof role === "string" && role !== "");
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(OPTIONS, name));
  const rules: [broken: boolean, message: string][] = [
    // Misspelt, a demand would be none.
    [unknown.length > 0, `there is no option ${unknown.join(", ")}; there are ${Object.keys(OPTIONS).join(", ")}`],
    [seenProof !== undefined && typeof seenProof !== "function", "seenProof must be a function"],
    [acr !== undefined && !ACRS.includes(acr), `acr must be one of ${ACRS.join(", ")}`],
    [maxAge !== undefined && !(Number.isSafeInteger(maxAge) && maxAge > 0), "maxAge must be a whole number of seconds"],
    [roles !== undefined && !areNames, "roles must be a list of names"],
    [origin !== undefined && (!URL.canParse(origin) || new URL(origin).origin !== origin), "origin must be an origin"],
    [
      revokedSessions !== undefined && typeof revokedSessions.isRevoked !== "function",
      "revokedSessions must be made by revokedSessions()",
    ],
  ];
  const broken = rules.find(([isBroken]) => isBroken);
  if (broken) throw new TypeError(broken[1]);
}
