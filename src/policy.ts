/**
 * Every limit and lifetime, with its reason. Durations end in `Ms` or `Seconds`; nothing here reads a clock.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** For settings that count in days and in hours. */
export const DAY_MS = DAY;
export const HOUR_MS = HOUR;

/** Bodies. 16 KiB holds every request of this API many times over (ASVS 15.2.2). */
export const BODY_MAX_BYTES = 16 * 1024;
/** Attestations of hardware keys carry certificates. */
export const PASSKEY_BODY_MAX_BYTES = 64 * 1024;

/** RFC 5321 §4.5.3.1: a path is at most 256 octets with its brackets, a local part 64. */
export const EMAIL_MAX_LENGTH = 254;
export const EMAIL_LOCAL_PART_MAX_LENGTH = 64;

/** Length floor of a password, in code points after NFKC (SP 800-63B-4 §3.1.1.2). */
export const PASSWORD_MIN = { standard: 12, nist: 15 } as const;
/** The floor in both profiles where nobody gets in by password alone (SP 800-63B-4 §3.1.1.2, within MFA). */
export const PASSWORD_MIN_WITH_FACTOR = 8;
/** Twice what SP 800-63B-4 asks to permit (64), and still cheap to normalise. */
export const PASSWORD_MAX = 128;
/** Checked before normalising, so that a megabyte of combining marks costs nothing. */
export const PASSWORD_MAX_BYTES = 1024;
/** What has to remain of a password once the words an attacker would try first are taken out of it. */
export const PASSWORD_REMAINDER_MIN = 8;

/** Digits of a password's SHA-1 that a range API learns: each of the million ranges holds a thousand breached passwords. */
export const BREACH_PREFIX_DIGITS = 5;
/** A range comes within half a second; whoever chooses a password, and the place for its hash, waits no longer than this. */
export const BREACH_CHECK_TIMEOUT_MS = 1_500;
/** A padded range is some 40 to 80 KB. */
export const BREACH_RANGE_MAX_BYTES = 256 * 1024;

/** OWASP's minimum for Argon2id. `memory` in KiB; 54 ms of CPU in workerd. */
export const ARGON2ID = { memory: 19_456, passes: 2, lanes: 1 } as const;
export const SALT_BYTES = 16;
export const PASSWORD_TAG_BYTES = 32;
/**
 * What an imported hash may cost, since each blocks its isolate while it is compared: measured in workerd, none takes
 * more than 300 ms. A row above it is imported without a password, which a reset sets.
 * Argon2: 64 MiB is half of what an isolate has; three passes over it take 250 ms. Many passes or many lanes are many
 * small pieces of work, which cost a multiple of that.
 */
export const FOREIGN_ARGON2 = { memory: 65_536, memoryTimesPasses: 3 * 65_536, passes: 64, lanes: 16 } as const;
/** bcrypt, computed in JavaScript: 240 ms, and each step more doubles it. */
export const FOREIGN_BCRYPT_COST = 11;
/** What Web Crypto allows in production and no local runtime enforces; 85 ms for the slowest hash. */
export const FOREIGN_PBKDF2_ITERATIONS = 100_000;
/** What Firebase's scrypt takes as every project has it, in 50 ms; beside Argon2 an isolate has not much more. */
export const FOREIGN_SCRYPT_BYTES = 16 * 1024 * 1024;
/** Below 128 bits a stored tag is more easily met by chance than a password guessed; none that is used has over 512. */
export const FOREIGN_TAG_BYTES = { min: 16, max: 64 } as const;
/** Salts of all providers are shorter; RFC 9106 §3.1 asks for no more than 64 KiB. */
export const FOREIGN_SALT_MAX_BYTES = 128;

/** Challenge token: long enough to fetch a phone, short enough to be worthless later (ASVS 6.5.5 caps at 10 min). */
export const CHALLENGE_TTL_MS = 5 * MINUTE;
/** Wrong answers to one challenge before it is dead. */
export const CHALLENGE_ATTEMPTS = 5;
/** Live sign-in challenges of all unrecognised browsers together: stops farming one guess on each of many challenges. */
export const LIVE_CHALLENGES = 3;
/** Of a recognised browser, or of those that have proven the mailbox: a stranger cannot push these out. */
export const LIVE_CHALLENGES_OF_OWNER = 1;
/** Enrolment token: long enough to install an authenticator app. */
export const ENROLMENT_TTL_MS = 10 * MINUTE;
export const LIVE_ENROLMENTS = 3;

/**
 * Wrong second factors of one pot in a rolling hour, over all challenges, sources and kinds. Pots: all unrecognised
 * browsers together, those that have proven the mailbox, and each recognised browser. With a window of three codes in
 * a million, ten guesses are odds of 3e-5 (SP 800-63B-4 §3.2.2 demands far less).
 */
export const SECOND_FACTOR_FAILURES = 10;
export const SECOND_FACTOR_WINDOW_MS = HOUR;
/** Wrong answers to a session's own step-up or re-proof before the session ends: whoever holds a session is no stranger. */
export const SESSION_POT = 5;
/**
 * Proof mode: after so many wrong answers in a row, or so many challenges in a row left unanswered, from unrecognised
 * browsers, a right password from one opens no challenge until the mailbox is proven. Whoever is there then has the
 * password and no factor.
 */
export const PROOF_MODE_FAILURES = 10;
export const PROOF_MODE_ABANDONED = 5;
/** Wrong answers in a row from browsers that nobody knows, after which the owner hears that somebody has the password (ASVS 6.3.5). */
export const WARNING_FAILURES = 3;
/** Whoever has a password can cause such a mail at will: one a day says all there is to say. */
export const WARNING_PAUSE_MS = DAY;
/** Wrong answers in a row after which a kind of factor is closed to browsers that nobody knows (SP 800-63B-4 §3.2.2). */
export const METHOD_FAILURES_MAX = 100;
/** It opens by a proof from elsewhere and not by time; a client that asks again in an hour does no harm. */
export const METHOD_CLOSED_RETRY_AFTER_SECONDS = 3_600;

/** Browsers an account recognises, each with a pot of its own; the one unused for longest makes room. */
export const RECOGNISED_BROWSERS = 5;
/** Networks that an account has signed in from; the one that came first makes room. Home, work, a phone, and travels. */
export const KNOWN_NETWORKS = 10;
/** Mails about unfamiliar sign-ins in a rolling hour. */
export const SIGN_INS_TOLD = 3;
/** When a browser was last seen is kept to the day: a row for every sign-in would say no more. */
export const BROWSER_SEEN_STEP_MS = DAY;

/** RFC 6238 with the parameters every authenticator app supports; 160 bits as RFC 4226 R6 recommends. */
export const TOTP = { digits: 6, stepSeconds: 30, secretBytes: 20, windowSteps: 1 } as const;
/**
 * Secrets that other services have handed out: many apps were set up with the 80 bits of Google's first examples. Their
 * owners would lose the factor otherwise; nobody guesses 80 bits through the pots, and codes give none of them away.
 */
export const IMPORTED_TOTP_SECRET_BYTES = { min: 10, max: 64 } as const;
/** A secret that was shown but never confirmed is forgotten after this. */
export const TOTP_PENDING_TTL_MS = 10 * MINUTE;
/** Wrong codes for a pending secret before it is forgotten and has to be shown anew. */
export const TOTP_PENDING_ATTEMPTS = 5;
export const TOTP_ACTIVE_FACTORS = 3;
/** Passkeys of an account: a phone, a laptop and a key in a drawer, three times over. */
export const PASSKEYS_PER_ACCOUNT = 10;
/** WebAuthn §13.4.3 asks for 16 bytes; ASVS 6.7.2 for 8. */
export const WEBAUTHN_CHALLENGE_BYTES = 32;
/** How long a registration may take (WebAuthn §15.1). */
export const PASSKEY_REGISTRATION_TTL_MS = 5 * MINUTE;
export const FACTOR_LABEL_MAX = 64;

/** Challenge of a username-less passkey sign-in: as long as a browser waits for its user (WebAuthn §15.1: 5 to 10 min). */
export const PASSKEY_CHALLENGE_TTL_MS = 5 * MINUTE;

/** A set of recovery codes. 120 bits cannot be guessed, and are exactly 24 characters of Crockford's base32. */
export const RECOVERY_CODES = { count: 10, bytes: 15 } as const;
/** A typed recovery code longer than this is refused unread: 24 characters leave room for any grouping. */
export const RECOVERY_CODE_TYPED_MAX = 256;

/** Accounts that one browser's cookie remembers: a family's, and a cookie far below the 4096 bytes that fit. */
export const DEVICE_COOKIE_ACCOUNTS = 5;
/** A browser stays recognised half a year: longer than a season away, shorter than the life of a cookie (400 days). */
export const DEVICE_COOKIE_TTL_MS = 180 * DAY;

/** How new a proof must be for a sensitive action (RFC 9470 `max_age`). */
export const FRESH_SECONDS = 300;

/** Sessions of an account; the oldest ends when one more opens (ASVS 7.1.2). */
export const SESSIONS_PER_ACCOUNT = 20;
/** Inside this a refresh with the previous generation is a retry of a lost answer, not theft. */
export const REFRESH_GRACE_MS = 10 * SECOND;
/** Kept per session for its owner's list; longer user agents are cut. */
export const USER_AGENT_MAX = 256;

/** Lifetimes of sessions by profile; SP 800-63B-4 §2.2.3 for `nist`. `factorMaxAgeMs` is the periodic re-proof. */
export const SESSION_LIFETIMES = {
  standard: { idleMs: DAY, absoluteMs: 14 * DAY, factorMaxAgeMs: DAY },
  nist: { idleMs: HOUR, absoluteMs: DAY, factorMaxAgeMs: 12 * HOUR },
} as const;
/** "Remember me", standard profile only (SP 800-63B-4 §2.1.3). The periodic re-proof still applies. */
export const REMEMBERED_LIFETIMES = { idleMs: 14 * DAY, absoluteMs: 30 * DAY } as const;

/** "Do not ask on this browser": off unless an operator wants it, and asked again at least every quarter of a year. */
export const TRUSTED_BROWSER_DAYS = { default: 0, min: 0, max: 90 } as const;

/**
 * How long a person without any factor waits for a way back in: long enough that an owner who is away over a weekend
 * reads one of the mails that let him cancel it, and at most two weeks, since nobody waits longer.
 */
export const RECOVERY_DELAY_HOURS = { default: 72, min: 24, max: 336 } as const;

/** Confirmation link of a registration (SP 800-63B-4: codes by mail live at most a day). */
export const VERIFY_LINK_TTL_MS = DAY;
/** A new password by mail (security.md §1): long enough for a slow mail, and worth little in a mailbox read later. */
export const RESET_LINK_TTL_MS = 30 * MINUTE;
/** Confirmation of a new address: what a registration has (SP 800-63B-4: codes by mail live at most a day). */
export const EMAIL_CHANGE_LINK_TTL_MS = DAY;
/** Taking an address back, and "this was not me" in a notice: a mail that is read after a weekend still helps. */
export const UNDO_LINK_TTL_MS = 3 * DAY;
export const FREEZE_LINK_TTL_MS = 3 * DAY;
/**
 * Whoever breaks in may prepare his return before he does what a notice tells of: what was added so long before it is
 * looked at like what came after. As long as a notice's link lives, so that its owner need not find the oldest one.
 */
export const DISTRUSTED_BEFORE_MS = FREEZE_LINK_TTL_MS;
/** The link that starts a recovery, which is mailed to somebody who waits for it. */
export const RECOVERY_LINK_TTL_MS = 30 * MINUTE;
/** The link that ends a recovery: whoever has waited for days may miss it by some hours. */
export const RECOVERY_FINISH_LINK_TTL_MS = DAY;
/** An invitation reaches somebody who does not wait for it: a week with a weekend in it. */
export const INVITATION_LINK_TTL_MS = 7 * DAY;
/** A mailed proof: long enough for a slow mail, short enough that an old mailbox holds none. */
export const PROOF_LINK_TTL_MS = 15 * MINUTE;
/** Passwords that may be tried with one mailed proof: as many as a pair has for free. A right one uses it up. */
export const PROOF_ATTEMPTS = 5;
/** How long a gate remembers a tried proof: a minute past the link's life, since a request that came in time may be slow. */
export const PROOF_MEMORY_MS = PROOF_LINK_TTL_MS + MINUTE;

/**
 * A change of what the directory holds is made in two stores. If its request dies between them, the account waits this
 * long before it believes that the directory will not change any more.
 */
export const PREPARED_CHANGE_TTL_MS = MINUTE;
/** Well within that, or the second store is not touched any more. */
export const PREPARED_CHANGE_DEADLINE_MS = 20 * SECOND;

/** An account that shall be deleted can be kept this long. */
export const DELETION_DELAY_MS = 3 * DAY;
/** Accounts that the minute cron looks at in one go: each is a few calls, and what is left over is due a minute later. */
export const APPOINTMENTS_PER_MINUTE = 100;
/** What could not be done is tried again after this, behind all that is due by then. */
export const APPOINTMENT_RETRY_MS = 5 * MINUTE;
/** While a recovery waits its owner hears of it every day, so that one mail that was missed is not the only one. */
export const RECOVERY_REMINDER_MS = DAY;

/** Failures of one address (IPv4 /32, IPv6 /64) and of its surroundings (/24, /48) in a rolling window. */
export const SOURCE_FAILURES = 20;
export const NETWORK_FAILURES = 100;
export const SOURCE_WINDOW_MS = 10 * MINUTE;
/**
 * Failed sign-ins by passkey alone, which name no address. Counted apart from passwords, so that whoever guesses those
 * never closes this door to others of the same network.
 */
export const ASSERTIONS_FROM_SOURCE = 20;
export const ASSERTIONS_FROM_NETWORK = 100;
/** Failures of one email key from one source: some for free, then a wait that doubles (SP 800-63B-4 §3.2.2). */
export const PAIR_FREE_FAILURES = 5;
export const PAIR_FIRST_WAIT_MS = 30 * SECOND;
export const PAIR_MAX_WAIT_MS = HOUR;
/** A pair that has been quiet this long starts afresh. */
export const PAIR_FORGET_MS = DAY;
/**
 * Failures of one email key over all unrecognised browsers, from whatever source: beyond them the mailbox is proven first,
 * until a session is opened. So all strangers of the world together have so many guesses, and nobody is locked out.
 */
export const ADDRESS_FAILURES = 20;
/** In a row, with proofs: then only a reset opens the address to unrecognised browsers again (SP 800-63B-4 §3.2.2). */
export const ADDRESS_FAILURES_MAX = 100;
/** It opens by a reset and not by time; a client that asks again in an hour does no harm. */
export const ADDRESS_CLOSED_RETRY_AFTER_SECONDS = 3_600;
/** Not cleared by time, but a year without any failure is no attack that goes on, and rows must end some day. */
export const ADDRESS_FORGET_MS = 365 * DAY;
/**
 * Mails that a stranger can have sent in a rolling hour: to one address, from one source, from its surroundings. Beyond it the answer is
 * the same and no mail leaves, so that nobody's mailbox is flooded through us (OWASP Forgot Password Cheat Sheet).
 */
export const MAILS_TO_ADDRESS = 3;
export const MAILS_FROM_SOURCE = 10;
export const MAILS_FROM_NETWORK = 50;
export const MAIL_WINDOW_MS = HOUR;
/**
 * A mail that did not leave is tried again after these: a provider that hiccups must not cost anybody an undo. Once, since
 * the platform grants thirty seconds after an answer.
 */
export const MAIL_RETRY_WAITS_MS = [SECOND];
/**
 * Proofs mailed to one address in a rolling ten minutes. A link lives fifteen, so silence means that one with at least
 * five minutes to live is in the mailbox already: whoever knows an address cannot use its owner's mails up.
 */
export const PROOFS_TO_ADDRESS = 3;
export const PROOFS_TO_ADDRESS_WINDOW_MS = 10 * MINUTE;
/** A try that never came back (crash, disconnect) counts as a failure this long. */
export const RESERVATION_TTL_MS = 60 * SECOND;
/** Gate rows past their use are dropped at most this often, by an alarm that is set while there are rows. */
export const GATE_SWEEP_MS = 10 * MINUTE;
/** A shard that has rows is looked at so often even when none of them can go yet: there may be too many. */
export const GATE_SWEPT_AT_LEAST_MS = DAY;
/** Rows a sweep leaves in a shard: read in milliseconds, and 80 million in all; a flood of more forgets its own oldest. */
export const GATE_ROWS = 20_000;
/** 12 bits of a keyed digest name the shard: many enough to spread a flood, few enough to stay warm. */
export const GATE_SHARDS = 4096;

/** Operations that one minute executes: an import of 200 takes a second or two, and the cron has other work. */
export const OPERATIONS_A_MINUTE = 5;
/** An operation that was begun and is not done after this was interrupted, and is begun again. */
export const OPERATION_LAPSE_MS = MINUTE;
/** How often one is begun: what fails three times would fail for ever, and the others must not wait for it. */
export const OPERATION_ATTEMPTS = 3;
/** A reset of factors that nobody has approved by then is given up: the person who asked has found another way. */
export const APPROVAL_TTL_MS = DAY;
/** The key of an import. A longer import asks for another one; whoever reads D1 later has none to try. */
export const IMPORT_KEY_TTL_MS = DAY;
/** Account objects that an import fills at a time. */
export const IMPORT_OBJECTS_AT_ONCE = 20;
/** Roles of an imported account: more than anybody has, and few enough for every access token to carry them. */
export const IMPORTED_ROLES_MAX = 16;

/** Preflight answers are cached this long: an origin taken from the list stays for at most ten minutes. */
export const CORS_MAX_AGE_SECONDS = 600;
/** What a client is told to wait when a store did not answer. */
export const UNAVAILABLE_RETRY_AFTER_SECONDS = 5;
