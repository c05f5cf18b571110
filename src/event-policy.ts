/**
 * The limits of security events: how they travel, how long they are kept, where they are looked at. Apart from `policy`,
 * which holds those of sign-ins. Thresholds of detectors stand beside them, in `events/detectors`.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * How long an event waits in the outbox of its object for others to travel with. A sign-in's two events are usually half a
 * minute apart, and each shipment costs rows; what somebody should look at leaves at once.
 */
export const ROUTINE_EVENT_DELAY_MS = 30 * SECOND;
export const NOTABLE_EVENT_DELAY_MS = SECOND;
/** Events that an account keeps in its guard row, which is written anyway; beyond that they move to rows of their own. */
export const EVENTS_IN_GUARD = 16;
/**
 * Characters of the events that one shipment takes along from an outbox, some 1,500 events: as a parameter they are a third
 * longer, and D1 takes two megabytes in one. A row is half of it at most, when a gate has counted {@link TALLIES_AT_ONCE}.
 */
export const SHIPMENT_CHARACTERS = 750_000;
/** A store that takes longer has not answered. */
export const SHIPMENT_TIMEOUT_MS = 10 * SECOND;
/** After a shipment that failed the next one waits, twice as long each time. */
export const SHIPMENT_RETRY_MS = { first: SECOND, longest: 5 * MINUTE } as const;
/** Of the name of a program that a client claims to be. */
export const EVENT_AGENT_DIGITS = 16;

/** How long events are kept, days: half a year finds what was slow. */
export const EVENT_RETENTION_DAYS = { default: 180, min: 7, max: 3_650 } as const;
/** Of operators who get mails of alerts: each is a mail more. A mailing list is one. */
export const ALERT_MAIL_ADDRESSES_MAX = 10;

/**
 * An alert that no event has belonged to for this long is over: the next finding opens another. Longer than the pauses of
 * whoever tries slowly, so that one attack is one alert; short enough that the next night's is another.
 */
export const ALERT_QUIET_MS = 6 * HOUR;

/**
 * Events that the detectors read at once, and how often a minute: 333 events a second for as long as one likes. What is more
 * waits in order. A page is some megabytes, a fraction of what an isolate has.
 */
export const DETECTION_PAGE = 5_000;
export const DETECTION_PAGES_PER_MINUTE = 4;
/** A detector that fails at the same events so often, a minute apart, goes on without them. */
export const DETECTOR_TRIES = 5;
/** Characters of what a detector keeps, and of all that one statement takes: a row of D1 may have two megabytes. */
export const DETECTOR_STATE_MAX = 800_000;
export const DETECTION_PART_MAX = 1_800_000;
/** Alerts that one step opens. The others come with the next ones, for as long as their pattern lasts. */
export const ALERTS_OPENED_PER_STEP = 100;

/** Posts, mails and reactions that one minute takes on, and how many of them at once: the platform allows six connections. */
export const DELIVERIES_PER_MINUTE = 48;
export const DELIVERIES_AT_ONCE = 6;
/**
 * Waits after each try that failed; after the last one it is given up. About 18 hours, as Standard Webhooks advise. The first
 * wait is longer than a try can take, and a little less than a minute, so that the next cron is the second try.
 */
export const DELIVERY_WAITS_MS = [45 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR] as const;
/** A receiver of webhooks that takes longer has not answered. */
export const WEBHOOK_TIMEOUT_MS = 10 * SECOND;
/** Mails of alerts in an hour to each operator: more are read by nobody. What is more comes in one mail at its end. */
export const ALERT_MAILS_PER_WINDOW = 10;
export const ALERT_MAIL_WINDOW_MS = HOUR;
/** Alerts that one mail tells of in words; more are counted. */
export const ALERTS_IN_ONE_MAIL = 50;
/**
 * How long a group of sources stays throttled by an alert. Longer than an alert takes to go quiet, so that whoever goes on
 * afterwards opens the next one, and than the time after which one that goes on throttles again.
 */
export const REACTION_MS = ALERT_QUIET_MS + HOUR;
/** How often counts and alerts that are older than the events are dropped. */
export const EVENT_FORGETTING_MS = HOUR;
/** Events that one question for a page of them looks at, and how many such questions a page takes: what a rare match costs. */
export const EVENT_SCAN = { rows: 500, turns: 4 } as const;

/**
 * Refusals of one source for one reason: the first is an event at once, those that follow within this are one more, with
 * their number. Shorter than an idle object keeps its memory, which is where they are counted.
 */
export const TALLY_WINDOW_MS = MINUTE;
/**
 * Different addresses of such a minute at which what is counted is told before it is over: with the first they are the 15
 * that are spraying and the 30 that are a list, so that an operator hears of either within a minute.
 */
export const TALLY_TOLD_AT: readonly number[] = [14, 29];
/** Sources and reasons that a gate counts apart at a time; a flood from more of them is counted as one. */
export const TALLIES_AT_ONCE = 1_000;
/** Different addresses that one count tells apart; more are said to be so many. */
export const TALLY_ADDRESSES = 1_000;
/** Of an address's digest, where it only has to be told from a hundred others. */
export const ADDRESS_MARK_DIGITS = 8;

/** How old the factor of an admin may be who looks at something: a working day. What is done needs `FRESH_SECONDS`. */
export const ADMIN_READ_FACTOR_MAX_AGE_SECONDS = 12 * 3_600;
/** Events, or alerts, on one page of a list. */
export const ADMIN_PAGE = { default: 100, max: 500 } as const;
/** Rows of one read of an export: less than a megabyte, and a million events are 500 reads of the 1,000 that a request may do. */
export const EXPORT_STRETCH_ROWS = 2_000;
/** A stream ends by itself after this, as long as an access token lives; whoever reads it goes on where it ended. */
export const STREAM_MS = 5 * MINUTE;
/** How often a stream looks for new events. Each look reads only what is new. */
export const STREAM_POLL_MS = 2 * SECOND;
/** Where nothing happens a line says so this often: proxies close what is silent for longer. */
export const STREAM_HEARTBEAT_MS = 15 * SECOND;
/** How often a stream asks again whether its reader is still an admin who is signed in. */
export const STREAM_RECHECK_MS = 20 * SECOND;
/** Events that a stream reads at a time; where there are more it looks again at once. */
export const STREAM_PAGE_ROWS = 200;
/** Stats count whole minutes or hours; so many of them at most. */
export const STATS_BUCKETS_MAX = 1_500;

/** Events that one row of the chain links: what a cron reads at once, and about a megabyte. */
export const LINK_PAGE_EVENTS = 1_000;
/** Pages that one minute links: several times what a million sign-ins a day leave. More waits. */
export const LINK_PAGES_A_MINUTE = 10;
/** How often the chain is signed: what was rewritten together with its links since the last one is not seen. */
export const CHECKPOINT_EVERY_MS = HOUR;
/** What is read at once to check the chain: as many pages, and as many events. */
export const CHAIN_CHUNK = { pages: 500, events: 5_000, checkpoints: 500 } as const;
/** Chunks that one operation checks, within the processor time of one cron; the command asks for the next ones. */
export const VERIFY_CHUNKS_AT_ONCE = 20;
/** Chunks that retention removes in a minute: more than a minute can link. */
export const RETENTION_CHUNKS_A_MINUTE = 3;
/** Retention begins when this much is too old: each time it leaves a row, which stays. */
export const RETENTION_SLACK_MS = HOUR;
/**
 * Failed sign-ins by passkey alone that an account records in a while: as many as one client may have, whose gate is
 * asked at the same time. Whoever goes on writes no more rows of the account, and is what that gate tells of.
 */
export const ASSERTION_FAILURES_RECORDED = { count: 20, windowMs: 10 * MINUTE } as const;
/** Events that somebody sees of the own account: some weeks of everyday use, in one page. */
export const ACTIVITY_EVENTS_MAX = 50;
