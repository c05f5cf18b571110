import type { Argon2Variant, Argon2Version } from "../argon2id.ts";

/** How another service hashed a password: the function and its cost. */
export type ForeignFunction = ForeignArgon2 | ForeignBcrypt | ForeignPbkdf2 | ForeignFirebaseScrypt;

/** `memory` in KiB. */
export interface ForeignArgon2 {
  scheme: "argon2";
  variant: Argon2Variant;
  version: Argon2Version;
  memory: number;
  passes: number;
  lanes: number;
}

/** `cost` is the binary logarithm of the rounds. */
export interface ForeignBcrypt {
  scheme: "bcrypt";
  cost: number;
}

export interface ForeignPbkdf2 {
  scheme: "pbkdf2";
  hash: "SHA-1" | "SHA-256" | "SHA-512";
  iterations: number;
}

/** scrypt with one lane, as Firebase uses it: `memoryCost` is the binary logarithm of N, `rounds` is r. */
export interface ForeignFirebaseScrypt {
  scheme: "firebase-scrypt";
  rounds: number;
  memoryCost: number;
}

/** A hash that another service made: what it says about itself, and the tag that its password has. */
export interface ForeignHash<F extends ForeignFunction = ForeignFunction> {
  made: F;
  salt: Uint8Array;
  tag: Uint8Array;
}

/** A hash that cannot be used, and why, in words for the operator who imports it. Nothing of the hash is in them. */
export interface Unreadable {
  malformed: string;
}

/** What a reader made of a text: nothing, when it is of another scheme. */
export type Read<F extends ForeignFunction> = ForeignHash<F> | Unreadable | undefined;
