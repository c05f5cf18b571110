import type { Argon2id } from "../argon2id.ts";
import { excessOfArgon2, readArgon2, tagOfArgon2 } from "./argon2.ts";
import { excessOfBcrypt, readBcrypt, tagOfBcrypt } from "./bcrypt.ts";
import { excessOfFirebaseScrypt, readFirebaseScrypt, tagOfFirebaseScrypt } from "./firebase-scrypt.ts";
import type { ForeignFunction, ForeignHash, Unreadable } from "./foreign-hash.ts";
import { excessOfPbkdf2, readPbkdf2, tagOfPbkdf2 } from "./pbkdf2.ts";

/** A hash that a Worker could not bear to compare: its account needs a new password. */
export interface TooCostly {
  tooCostly: string;
}

/** Longer than any hash of any scheme. */
const TEXT_MAX = 512;

/** Reads a hash as a provider exports it: text, or an object for Firebase. */
export function readForeignHash(given: unknown): ForeignHash | TooCostly | Unreadable {
  const hash = readAny(given) ?? { malformed: "is of no scheme that is known here" };
  if ("malformed" in hash) return hash;
  const tooCostly = excessOf(hash.made);
  return tooCostly === undefined ? hash : { tooCostly };
}

function readAny(given: unknown): ForeignHash | Unreadable | undefined {
  if (typeof given === "object" && given !== null) return readFirebaseScrypt(given);
  if (typeof given !== "string" || given.length > TEXT_MAX) return undefined;
  return readArgon2(given) ?? readBcrypt(given) ?? readPbkdf2(given);
}

function excessOf(made: ForeignFunction): string | undefined {
  switch (made.scheme) {
    case "argon2":
      return excessOfArgon2(made);
    case "bcrypt":
      return excessOfBcrypt(made);
    case "pbkdf2":
      return excessOfPbkdf2(made);
    case "firebase-scrypt":
      return excessOfFirebaseScrypt(made);
  }
}

/** The tag that a password, as it was typed, has under a foreign function. Blocks the isolate for as long as it costs. */
export async function foreignTag(
  argon2: Argon2id,
  made: ForeignFunction,
  password: string,
  salt: Uint8Array,
  tagBytes: number,
): Promise<Uint8Array> {
  switch (made.scheme) {
    case "argon2":
      return tagOfArgon2(argon2, made, password, salt, tagBytes);
    case "bcrypt":
      return tagOfBcrypt(made, password, salt);
    case "pbkdf2":
      return tagOfPbkdf2(made, password, salt, tagBytes);
    case "firebase-scrypt":
      return tagOfFirebaseScrypt(made, password, salt, tagBytes);
  }
}
