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
/** What a service may make of that: more would be a longer life for every token. */
export const CLOCK_TOLERANCE_MAX_SECONDS = 60;

/** How long a copy of the key ring may be believed, in KV or in memory: the bound for an emergency drop at the edge. */
export const KEY_RING_TTL_MS = 5 * MINUTE;
/** The signing keys document may be cached by anyone this long. */
export const JWKS_MAX_AGE_SECONDS = 300;

/** What a verifier does with an answer that names another time, or none: shorter would be load, longer a slow drop. */
export const JWKS_KEPT_SECONDS = { default: 300, min: 60, max: 600 } as const;
/** Between two fetches of a verifier that has keys, however many unknown key ids it is shown (ASVS 9.1.3). */
export const JWKS_COOLDOWN_MS = 30 * SECOND;
/** The same while it has none, and can answer nothing. */
export const JWKS_RETRY_MS = 5 * SECOND;
/** How long keys go on past their time while their issuer is silent. */
export const JWKS_STALE_MS = 15 * MINUTE;
/** Requests wait for the keys this long: longer than any good answer takes. */
export const JWKS_TIMEOUT_MS = 5 * SECOND;
/** How long a request waits for a fetch that another one has begun and may have been dropped with; then it fetches itself. */
export const SHARED_WAIT_MS = SECOND;
/** And how often, when one after the other comes to nothing: as long in all as a fetch of its own may take. */
export const SHARED_WAITS = 5;
/** Hundreds of keys: whatever is longer is no key set. */
export const JWKS_MAX_BYTES = 64 * 1024;
/** Members of all keys together: as many as fit into those bytes. */
export const JWKS_MAX_MEMBERS = 4096;

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
/** What challenge, passkey-challenge and nonce keys make lives ten minutes at most; the rest is for clocks and old copies. */
export const SHORT_KEY_KEPT_MS = HOUR;
/** The longest one-time link takes back a recovery: good for its wait, fourteen days at most, and a day more. */
export const LINK_KEY_KEPT_MS = 16 * DAY;
/** No session lives longer than thirty days, and every refresh token is one of a session. */
export const REFRESH_KEY_KEPT_MS = 31 * DAY;

/** A proof of possession is made for one request, by a clock that may differ (RFC 9449 §11.1). */
export const DPOP_PROOF_AGE_SECONDS = 60;
/** Longer than any proof with a P-256 key, shorter than what would be work to parse. */
export const DPOP_PROOF_MAX_LENGTH = 4096;
/** How long a nonce is taken after it was given (RFC 9449 §8): a page that comes back within it needs no second try. */
export const DPOP_NONCE_TTL_MS = 5 * MINUTE;
/** Ids of proofs are ours to remember for that long, so they are short. */
export const DPOP_JTI_MAX_LENGTH = 128;
/** Proofs that a process of a service remembers: each counts for two minutes, so this is 400 requests a second, in 12 MB. */
export const DPOP_PROOFS_REMEMBERED = 50_000;

/** A list of ended sessions speaks for two minutes: a verifier that cannot get a newer one then knows nothing. */
export const REVOKED_SESSIONS_TTL_SECONDS = 120;
/** Any cache may keep it this long; it is the delay that a service adds by asking through one. */
export const REVOKED_SESSIONS_MAX_AGE_SECONDS = 10;
/** How old a verifier lets the list become before it asks again. At most half of what one speaks: a failed try loses nothing. */
export const REVOKED_SESSIONS_POLL_SECONDS = { default: 30, min: 1, max: REVOKED_SESSIONS_TTL_SECONDS / 2 } as const;
/** A verifier that did not get the list waits this long: while the issuer hangs, most requests do not hang with it. */
export const REVOKED_SESSIONS_RETRY_MS = 10 * SECOND;
/** A verifier takes a list this long: some forty thousand sessions that ended within eleven minutes. */
export const REVOKED_SESSIONS_MAX_BYTES = 2 * 1024 * 1024;
/** No list speaks for longer (its end, from now): one that says so is not made by a clock like ours. */
export const REVOKED_SESSIONS_FUTURE_SECONDS = 600;
/**
 * So many ended sessions are listed by name, in 800 KB, which is less than half of what a verifier takes. Where more end
 * in eleven minutes, somebody ends them on purpose: tokens from before the oldest of the list are then over all together,
 * and whoever holds one refreshes a little early.
 */
export const REVOKED_SESSIONS_MAX = 20_000;
/** An ended session is listed while an access token of it could be taken anywhere. */
export const REVOKED_SESSION_LISTED_MS = (ACCESS_TOKEN_TTL_SECONDS.max + 2 * CLOCK_TOLERANCE_SECONDS) * SECOND;
/** Anybody may ask for the list, so an isolate reads it once in this time; short beside what caches add. */
export const ENDED_SESSIONS_REMEMBERED_MS = SECOND;
/** Pauses before an account tells the directory again what it did not hear: a logout waits for them. */
export const TELLING_RETRY_WAITS_MS = [100, 400] as const;
/** A try that takes longer has failed: one that hangs must not hold every logout of the account. */
export const TELLING_TIMEOUT_MS = 3 * SECOND;
/** When it tries again after that, by itself: most of what is left to be listed then is still worth it. */
export const TELLING_AGAIN_MS = 30 * SECOND;
/** Past entries that one statement of the sweep removes, so that none keeps others from the database for long. */
export const ENDED_SESSIONS_SWEPT_AT_ONCE = 500;
/** Statements of one sweep. A minute of ten thousand ends is a sign-in rate that nobody sustains. */
export const ENDED_SESSION_SWEEPS_PER_MINUTE = 20;

/** Services along a chain of token exchanges (RFC 8693 §4.1): each adds its name to the token. */
export const ACTOR_CHAIN_MAX = 4;

/** Services that tokens may be for: many times what one sign-in serves, and a list that a person can still check. */
export const AUDIENCES_MAX = 50;
/** Long enough for the address of a service. */
export const AUDIENCE_NAME_MAX = 200;
/** Ids of back ends stand in tokens, as often as the chain of exchanges is long. */
export const CLIENT_ID_MAX = 64;
