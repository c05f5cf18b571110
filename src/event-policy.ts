/**
 * The limits of security events: how they travel, how long they are kept, where they are looked at. Apart from `policy`,
 * which holds those of sign-ins. Thresholds of detectors stand beside them, in `events/detectors`.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/**
 * How long an event waits in the outbox of its object for others to travel with. A sign-in's two events are usually half a
 * minute apart, and each shipment costs rows; what somebody should look at leaves at once.
 */
export const ROUTINE_EVENT_DELAY_MS = 30 * SECOND;
export const NOTABLE_EVENT_DELAY_MS = SECOND;
/** Events that an account keeps in its guard row, which is written anyway; beyond that they move to rows of their own. */
export const EVENTS_IN_GUARD = 16;
/** Rows of an outbox that one shipment takes along. A row of an account's holds up to {@link EVENTS_IN_GUARD} events. */
export const OUTBOX_ROWS_PER_SHIPMENT = 200;
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
