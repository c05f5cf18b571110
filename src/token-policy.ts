/**
 * Every limit and lifetime of tokens, of the keys that make them and of who checks them, with its reason; the rest is in
 * `policy.ts`. Durations end in `Ms` or `Seconds`; nothing here reads a clock.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Access tokens are verified offline, so their life is the time a stolen one works (RFC 9068; at most ten minutes). */
export const ACCESS_TOKEN_TTL_SECONDS = { default: 300, min: 60, max: 600 } as const;
/** A token longer than this is refused before anything parses it. */
export const TOKEN_MAX_LENGTH = 4096;
/** Clocks of two machines may differ by this much (`exp`, `iat` in the future). */
export const CLOCK_TOLERANCE_SECONDS = 30;

/** How long a copy of the key ring may be believed, in KV or in memory: the bound for an emergency drop at the edge. */
export const KEY_RING_TTL_MS = 5 * MINUTE;
/** The signing keys document may be cached by anyone this long. */
export const JWKS_MAX_AGE_SECONDS = 300;

/** A signing key signs this long (ASVS 13.3.4); shorter is churn, longer is forgetting. Keys that die by themselves do the same. */
export const KEY_ROTATION_DAYS = { default: 90, min: 30, max: 180 } as const;
/** How long a signing key is in the JWKS before it signs: whatever caches that document has seen it by then. */
export const SIGNING_KEY_LEAD_MS = DAY;
/** The same for keys that only this service uses: twice what an isolate believes its copy of the ring. */
export const DATA_KEY_LEAD_MS = 2 * KEY_RING_TTL_MS;
/**
 * A public key stays this long after its last signature: a token's life, clocks that differ, and caches of the JWKS
 * twice over are half of it. The last signature may come as late as the oldest copy of the ring is believed.
 */
export const SIGNING_KEY_KEPT_MS = HOUR + KEY_RING_TTL_MS;

/** A proof of possession is made for one request, by a clock that may differ (RFC 9449 §11.1). */
export const DPOP_PROOF_AGE_SECONDS = 60;
/** Longer than any proof with a P-256 key, shorter than what would be work to parse. */
export const DPOP_PROOF_MAX_LENGTH = 4096;
/** How long a nonce is taken after it was given (RFC 9449 §8): a page that comes back within it needs no second try. */
export const DPOP_NONCE_TTL_MS = 5 * MINUTE;
/** Ids of proofs are ours to remember for that long, so they are short. */
export const DPOP_JTI_MAX_LENGTH = 128;

/** A list of ended sessions speaks for two minutes: a verifier that cannot get a newer one then knows nothing. */
export const REVOKED_SESSIONS_TTL_SECONDS = 120;
/** Any cache may keep it this long; it is the delay that a service adds by asking through one. */
export const REVOKED_SESSIONS_MAX_AGE_SECONDS = 10;
/** An ended session is listed while an access token of it could be taken anywhere. */
export const REVOKED_SESSION_LISTED_MS = (ACCESS_TOKEN_TTL_SECONDS.max + 2 * CLOCK_TOLERANCE_SECONDS) * SECOND;

/** Services along a chain of token exchanges (RFC 8693 §4.1): each adds its name to the token. */
export const ACTOR_CHAIN_MAX = 4;
