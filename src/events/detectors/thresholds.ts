/**
 * From where on a detector speaks, with the reasons. Measured with `npm run detect`; what each means in practice and how to
 * move it is in docs/detection.md. Times in milliseconds.
 */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Fast guessing from one place: as long as the throttle of a source remembers (`SOURCE_WINDOW_MS` of the policy). */
export const SOURCE_TRIES_WINDOW_MS = 10 * MINUTE;
/** Accounts that fail from one source group: five below what the throttle of a single address lets through (20). */
export const SPRAYED_ADDRESSES = 15;
/** Whoever sprays tries few passwords on each account; whoever tries more is somebody who has forgotten his own. */
export const SPRAYED_TRIES_EACH = 3;
/**
 * Of the accounts that sign in from the same group meanwhile, so large a share must fail. Behind the address of an office
 * or a mobile network one sign-in in twelve begins with a slip; those who then get in do not count at all.
 */
export const FAILING_SHARE_OF_GROUP = 0.25;
/** A list of stolen pairs: more of them than any classroom mistypes, a large share of them nobody's here. */
export const STUFFED_PAIRS = 30;
export const STUFFED_UNKNOWN_SHARE = 0.3;
/** Below so many tries whose outcome is known the share says nothing, and a list is taken for `password_spraying`. */
export const STUFFED_SAMPLE = 8;

/** Slow guessing is looked at over a day, since days of sign-ins resemble each other and hours do not. */
export const SLOW_WINDOW_MS = DAY;
export const SLOW_TRIES_EACH = 2;
/** Times the usual number: Mondays have half as much again, and the first day after a holiday twice. */
export const SLOW_TIMES_USUAL = 3;
/** A small service has two today and none yesterday. */
export const SLOW_ACCOUNTS_MIN = 50;
/** Somebody who fails and gets in from anywhere so soon afterwards is the owner on another network. */
export const SLOW_REDEEMED_MS = 15 * MINUTE;
/** The usual is the mean of the same hour on so many days before; with fewer days than the second it is guessed. */
export const USUAL_DAYS = { most: 7, fewest: 3 } as const;
/** The guess: of those who sign in on a day, so many others fail once or twice and give up. Measured: one or two in a hundred. */
export const SLOW_SHARE_WITHOUT_HISTORY = 0.05;
/** How far one day may raise the usual: an attack of days stays visible, and a service that grows is forgiven in days. */
export const USUAL_RISE_MAX = 1.5;

/** One account, one place or a few. */
export const BRUTE_FORCE_WINDOW_MS = 10 * MINUTE;
export const BRUTE_FORCE_TRIES = 10;
/** People who have forgotten a password get there too, and then get in or ask for a link: they are given this long for it. */
export const BRUTE_FORCE_PATIENCE_MS = 10 * MINUTE;
/** Nobody types a password every half minute for ten: no patience from here on. */
export const BRUTE_FORCE_TRIES_AT_ONCE = 20;
/** More groups than this are no "few sources": that is `distributed_brute_force`. */
export const FEW_SOURCES = 4;
/** One account from everywhere: a phone on a train has two or three groups in an hour. */
export const DISTRIBUTED_WINDOW_MS = HOUR;
export const DISTRIBUTED_SOURCES = 5;
/** Five slips on five networks happen once in the life of a service with private relays; eight do not. */
export const DISTRIBUTED_TRIES = 8;

/**
 * Wrong second factors of one account without a sign-in from there: more than one challenge takes (5), and less than what
 * starts proof mode (10), after which no attacker shows any more. A day, since the budget of an hour invites patience.
 */
export const FACTOR_GUESSES = 8;
export const FACTOR_WINDOW_MS = DAY;
/** 24 characters are mistyped, and typed from last year's sheet: not eight times in an hour. */
export const RECOVERY_CODE_GUESSES = 8;
export const RECOVERY_CODE_WINDOW_MS = HOUR;

/** A challenge that is not met within its life and this margin was left (`CHALLENGE_TTL_MS` and as much again). */
export const CHALLENGE_LEFT_MS = 10 * MINUTE;
/**
 * Right passwords of one account in a day that no sign-in of the same place or program follows. An owner whose phone is in
 * another room types the password two or three times, and five times at most.
 */
export const UNPROVEN_CHALLENGES = 6;
export const UNPROVEN_WINDOW_MS = DAY;
/** Accounts whose right password came from one group within an hour, and no second factor: somebody walks through a list. */
export const UNPROVEN_ACCOUNTS = 6;
export const UNPROVEN_GROUP_WINDOW_MS = HOUR;

/** One is enough: generations are in order, a retry has ten seconds, and whoever comes later holds a copy. */
export const REUSED_TOKENS = 1;
export const REUSE_WINDOW_MS = HOUR;

/** Mails asked for in an hour: for one address (three are sent), or from one group for many addresses that do not use them. */
export const RESET_WINDOW_MS = HOUR;
export const RESETS_OF_ADDRESS = 8;
export const RESETS_FROM_GROUP = 15;

/** Faster than an airliner with the wind in its back. */
export const TRAVEL_KM_PER_HOUR = 1_000;
/** Coarse places and providers' guesses are wrong by this much before anybody has moved. */
export const TRAVEL_KM_MIN = 500;
/**
 * Before so many sign-ins nobody can say which programs are an account's own: after the first number if they have shown two
 * (a laptop and a phone), otherwise after the second.
 */
export const TRAVEL_SIGN_INS = { withTwoPrograms: 4, withOne: 10 } as const;
/** From a group of sources that nobody has signed in from, as a rented machine is and a tunnel is not, half as many say as much. */
export const TRAVEL_SIGN_INS_STRANGE = { withTwoPrograms: 2, withOne: 5 } as const;
/** From a network (by its number) that nobody has signed in from: tunnels have many groups and few networks. */
export const TRAVEL_SIGN_INS_STRANGE_NETWORK = { withTwoPrograms: 2, withOne: 3 } as const;

/** Failed tries of the whole service against the same hour of the days before. */
export const RATIO_WINDOW_MS = HOUR;
export const RATIO_TIMES_USUAL = 3;
export const RATIO_FAILURES_MIN = 100;
/** A service whose people never fail would be alarmed by three of a hundred. */
export const RATIO_USUAL_MIN = 0.05;
/** As long as nothing is known of the days before: twice what services report of themselves. */
export const RATIO_WITHOUT_HISTORY = 0.2;

/** Bounds of what is kept, so that a flood leaves a row of at most 200 KB. The heaviest subjects stay, the oldest of the light ones go. */
export const KEPT = {
  /** Addresses, accounts and tallies of all groups together: some 60 bytes each. */
  sourceItems: 2_000,
  addressesOfGroup: 40,
  /** One a minute of the window: so often is the first of a tally named. */
  timesOfAddress: 10,
  accountsOfGroup: 200,
  /** Three reasons, three a minute. */
  talliesOfGroup: 90,
  /** Sources of all attacked accounts together. */
  accountItems: 1_200,
  sourcesOfAccount: 24,
  /** Sampled accounts of slow spraying; beyond that every second one is looked at, then every fourth. */
  slowAccounts: 2_000,
  /** Times of all subjects together. */
  factorItems: 2_000,
  unprovenItems: 400,
  timesOfSource: 16,
  pendingChallenges: 500,
  /** Accounts whose last sign-ins are remembered, those of the latest sign-ins: some 35 bytes each. */
  familiarAccounts: 5_888,
  /** Source groups of the last sign-ins: four bytes each. */
  groupsOfSignIns: 3_072,
  resetItems: 1_500,
  reuseAccounts: 1_000,
} as const;
