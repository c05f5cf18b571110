export * from "../../src/policy.ts";

/**
 * Takes the place of `src/policy.ts` where hundreds of accounts are made and no test asks what a password hash costs:
 * Argon2id with a hundredth of its memory. The rest is the real policy. Tests about hashes, and every instance that a
 * file starts for itself, have the real cost.
 */
export const ARGON2ID = { memory: 256, passes: 2, lanes: 1 } as const;
