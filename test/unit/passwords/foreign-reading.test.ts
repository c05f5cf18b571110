import { describe, expect, it } from "vitest";
import { readForeignHash } from "../../../src/passwords/foreign/schemes.ts";
import {
  FOREIGN_ARGON2,
  FOREIGN_BCRYPT_COST,
  FOREIGN_PBKDF2_ITERATIONS,
  FOREIGN_SCRYPT_BYTES,
} from "../../../src/policy.ts";
import { VECTORS } from "../support/foreign-hashes.ts";

const SALT_AND_TAG = "c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8";
const BCRYPT_53 = "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
const argon2 = (m: number, t: number) => `$argon2id$v=19$m=${m},t=${t},p=1$${SALT_AND_TAG}`;
const bcrypt = (cost: number) => `$2b$${cost}$${BCRYPT_53}`;
const pbkdf2 = (iterations: number) => `$pbkdf2-sha256$${iterations}$${SALT_AND_TAG}`;
const django = (iterations: number) =>
  `pbkdf2_sha256$${iterations}$seasalt$arBP+F7LSv46AxSyRYAi2XaEwAoObQyVT7IH1mqGQsk=`;
const firebase = (changes: object) => ({ ...(VECTORS.at(-1)?.[2] as object), ...changes });

describe("caps", () => {
  it.each([
    ["Argon2", argon2(65_536, 3)],
    ["Argon2 with less memory and more passes", argon2(7_168, 5)],
    ["bcrypt", bcrypt(11)],
    ["PBKDF2", pbkdf2(100_000)],
    ["Django's PBKDF2", django(100_000)],
    ["Firebase as every project has it", firebase({})],
    ["Firebase with less memory and more rounds", firebase({ mem_cost: 13, rounds: 16 })],
  ])("%s: what a Worker can bear is read", (_, hash) => {
    expect(readForeignHash(hash)).toHaveProperty("tag");
  });

  it.each([
    ["Argon2 with more memory", argon2(65_537, 1), "m above 65536"],
    ["Argon2 with more passes", argon2(65_536, 4), "m times t above 196608"],
    ["Argon2 without end", argon2(8, 4_294_967_295), "m times t above 196608"],
    ["bcrypt", bcrypt(12), "a cost above 11"],
    ["PBKDF2", pbkdf2(100_001), "more than 100000 iterations"],
    ["Django's PBKDF2", django(260_000), "more than 100000 iterations"],
    ["Firebase with more memory", firebase({ mem_cost: 15 }), "more than 16 MiB"],
    ["Firebase with more rounds", firebase({ rounds: 9 }), "more than 16 MiB"],
  ])("%s: what it cannot bear needs a reset", (_, hash, why) => {
    expect(readForeignHash(hash)).toEqual({ tooCostly: expect.stringContaining(why) });
  });

  it("stay where production can follow", () => {
    // Web Crypto's cap in production, which no local runtime enforces.
    expect(FOREIGN_PBKDF2_ITERATIONS).toBeLessThanOrEqual(100_000);
    // An isolate has 128 MiB, and everything else that it holds has to fit, too.
    expect(FOREIGN_ARGON2.memory * 1024 + FOREIGN_SCRYPT_BYTES).toBeLessThanOrEqual(80 * 1024 * 1024);
    expect(FOREIGN_BCRYPT_COST).toBeLessThan(12);
  });
});

describe("what cannot be right", () => {
  it.each([
    ["a plain password", "correct horse battery staple"],
    ["MD5", "5f4dcc3b5aa765d61d8327deb882cf99"],
    ["nothing", ""],
    ["a number", 12],
    ["a list", ["$2b$10$abcdefghijklmnopqrstuu"]],
    ["null", null],
    ["an object of no scheme", {}],
    ["another scheme", "$6$rounds=5000$saltstring$abcdef"],
    ["another scheme's object", firebase({ scheme: "scrypt" })],
    ["a text without end", `$2b$10$${"a".repeat(10_000)}`],
    [
      "a hash of our own",
      "$argon2id$v=19$m=19456,t=2,p=1,keyid=AQ$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ],
    ["Argon2 of another version", `$argon2id$v=18$m=256,t=2,p=1$${SALT_AND_TAG}`],
    ["Argon2 with a short salt", "$argon2id$v=19$m=256,t=2,p=1$c29tZQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"],
    ["Argon2 with a short tag", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR"],
    ["Argon2 without passes", argon2(256, 0)],
    ["Argon2 without memory", `$argon2id$v=19$m=15,t=1,p=2$${SALT_AND_TAG}`],
    ["Argon2 without lanes", `$argon2id$v=19$m=256,t=1,p=0$${SALT_AND_TAG}`],
    ["bcrypt that was cut", bcrypt(10).slice(0, -1)],
    ["bcrypt with a line end", `${bcrypt(10)}\n`],
    ["bcrypt with the error of crypt_blowfish", `$2x$10$${BCRYPT_53}`],
    ["bcrypt of cost 3", `$2b$03$${BCRYPT_53}`],
    ["bcrypt of cost 32", bcrypt(32)],
    ["bcrypt with a letter that is none", `$2b$10$=${BCRYPT_53.slice(1)}`],
    ["PBKDF2 without iterations", pbkdf2(0)],
    ["PBKDF2 without a salt", "$pbkdf2-sha256$1000$$4lkpwsnxxLFI2wkRHAc42HqIruewufRPKnWhGWMKPIo"],
    ["PBKDF2 of another hash", `$pbkdf2-md5$1000$${SALT_AND_TAG}`],
    ["PBKDF2 with a short tag", "$pbkdf2-sha256$1000$c29tZXNhbHQ$c29tZXNhbHQ"],
    ["Firebase without a salt", firebase({ salt: "" })],
    ["Firebase with another member", firebase({ extra: 1 })],
    ["Firebase with a signer key of another length", firebase({ signer_key: "Bw==" })],
    ["Firebase with half a round", firebase({ rounds: 1.5 })],
    ["Firebase without memory", firebase({ mem_cost: 0 })],
    ["Firebase beyond numbers", firebase({ mem_cost: 1e9 })],
  ])("%s: is refused with a reason", (_, given) => {
    expect(readForeignHash(given)).toEqual({ malformed: expect.stringMatching(/^(is|has) .{10,}/) });
  });

  it("is named without repeating any of it", () => {
    const read = readForeignHash(`$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$secret-tag-of-somebody`);
    expect(JSON.stringify(read)).not.toContain("secret-tag-of-somebody");
  });
});

describe("Firebase's base64", () => {
  it("may be URL-safe, as one of its exports has it", () => {
    const standard = VECTORS.at(-1)?.[2] as Record<string, string>;
    const urlSafe = { hash: standard.hash?.replaceAll("+", "-").replaceAll("/", "_") };
    expect(readForeignHash(firebase(urlSafe))).toEqual(readForeignHash(standard));
  });
});
