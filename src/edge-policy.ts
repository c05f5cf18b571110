/**
 * The limits of what stands before the gates: the queue for password hashes, the shield, the bot check, and reports of
 * refusals that no object has decided. Apart from `policy`, which holds those of sign-ins.
 */

const SECOND = 1_000;

/** Password hashes that may wait in one isolate. Eight are about half a second of CPU; more is better refused than queued. */
export const HASH_PLACES = 8;
/** Of those, one source may hold so many: a single client must not close the door for all others. */
export const HASH_PLACES_PER_SOURCE = 3;
/** Between two hashes that wait for each other: a refresh, which takes more than one turn, must not meet one at each. */
export const HASH_PAUSE_MS = 5;
/** So many requests that come in the pause before a first hash may be the first of a burst: then there is another one. */
export const HASH_PAUSE_ARRIVALS = 4;
/** So many at most: the runtime takes in some sixteen requests in each, and 200 at once are to be in before a hash. */
export const HASH_PAUSES_MAX = 20;
/** A place that was not given back by then belonged to a request that was cut off. Eight hashes take half a second. */
export const HASH_PLACE_LAPSE_MS = 60 * SECOND;
/** What a client is told to wait when all places are taken: eight hashes are done by then. */
export const HASH_RETRY_AFTER_SECONDS = 1;

/**
 * What one client may send in a minute to routes that hash or wake objects, as `wrangler.toml` says it to the platform.
 * Generous: a thousand people behind one address send 200 refreshes a minute, and some 500 requests when all of them sign
 * in within ten minutes of a morning; even all at once after an outage they stay below. Gates decide what is an attack.
 */
export const SHIELD = { limit: 3_000, periodSeconds: 60 } as const;
/** The binding answers from the machine the Worker runs on. One that takes longer than this is passed by. */
export const SHIELD_TIMEOUT_MS = 500;

/** `siteverify` answers within half a second; whoever signs in waits no longer than this for it. */
export const BOT_CHECK_TIMEOUT_MS = 2 * SECOND;
/** An answer has a few hundred bytes. */
export const BOT_CHECK_ANSWER_MAX_BYTES = 16 * 1024;
/** Turnstile says that a token has at most this many characters. */
export const BOT_CHECK_TOKEN_MAX = 2_048;

/**
 * Refusals of one source and reason that an isolate reports one by one in a second: as many as somebody makes by hand.
 * What follows is one report with a number when the second is over.
 */
export const REPORTS_IN_WINDOW = 5;
export const REPORT_WINDOW_MS = SECOND;
/** Sources and reasons that an isolate tells apart at a time; what comes beyond that stands in the log alone. */
export const REPORTED_SUBJECTS_MAX = 500;
