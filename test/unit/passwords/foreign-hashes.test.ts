import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { argon2d } from "@noble/hashes/argon2.js";
import { describe, expect, it } from "vitest";
import { argon2idOf } from "../../../src/passwords/argon2id.ts";
import type { ForeignHash } from "../../../src/passwords/foreign/foreign-hash.ts";
import { foreignTag, readForeignHash } from "../../../src/passwords/foreign/schemes.ts";
import { isForeignHash, matchesForeignHash, storeForeignHash } from "../../../src/passwords/foreign/stored-hash.ts";
import { VECTORS } from "../support/foreign-hashes.ts";
import { newRing } from "../support/rings.ts";

const wasm = readFileSync(createRequire(import.meta.url).resolve("@phi-ag/argon2/argon2.wasm"));
const Module = WebAssembly.Module as unknown as new (bytes: Uint8Array) => WebAssembly.Module;
const argon2 = argon2idOf(new Module(wasm));
const ring = await newRing();

/** The hash, which has to be readable and cheap enough. */
function hashOf(given: unknown): ForeignHash {
  const read = readForeignHash(given);
  if (!("tag" in read)) throw new Error(JSON.stringify(read));
  return read;
}

const matches = async (given: unknown, typed: string) =>
  matchesForeignHash(argon2, ring, await storeForeignHash(ring, hashOf(given)), typed);

describe("a hash of another implementation", () => {
  it.each(VECTORS)("%s: takes its password and no other", async (_, password, hash) => {
    expect(await matches(hash, password)).toBe(true);
    for (const other of [`${password.slice(0, 60)}!`, `x${password}`, password === "" ? " " : ""]) {
      expect(await matches(hash, other), other).toBe(false);
    }
  });

  it("of Argon2d equals @noble/hashes", async () => {
    const salt = new TextEncoder().encode("somesalt");
    const made = { scheme: "argon2", variant: "argon2d", version: 16, memory: 64, passes: 3, lanes: 2 } as const;
    const expected = argon2d("password", salt, { m: 64, t: 3, p: 2, version: 0x10, dkLen: 32 });
    expect(await foreignTag(argon2, made, "password", salt, 32)).toEqual(expected);
  });
});

describe("what is kept of it", () => {
  it.each(VECTORS)("%s: neither the tag nor the signer key, in any spelling", async (_, _password, hash) => {
    const stored = await storeForeignHash(ring, hashOf(hash));
    expect(isForeignHash(stored)).toBe(true);
    const secrets =
      typeof hash === "string" ? [hash.slice(-31)] : [hash].flatMap((it) => Object.values(it).filter(isKey));
    const tag = Buffer.from(hashOf(hash).tag);
    for (const secret of [...secrets, tag.toString("base64url"), tag.toString("hex"), tag.toString("base64")]) {
      expect(stored).not.toContain(secret.replace(/=+$/, ""));
    }
  });

  it("is worth nothing without the pepper", async () => {
    const [, password, hash] = VECTORS[0] ?? [];
    const stored = await storeForeignHash(ring, hashOf(hash));
    expect(await matchesForeignHash(argon2, ring, stored, password ?? "")).toBe(true);
    expect(await matchesForeignHash(argon2, await newRing(), stored, password ?? "")).toBe(false);
  });

  it("is not read when its pepper is gone", async () => {
    const stored = await storeForeignHash(ring, hashOf(VECTORS[0]?.[2]));
    const without = { ...ring, byId: () => () => undefined };
    await expect(matchesForeignHash(argon2, without, stored, "password")).rejects.toThrow("cannot be read");
  });
});

describe("bcrypt", () => {
  const hash = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";

  it("ends at 72 bytes, as everywhere, and before that every byte counts", async () => {
    expect(await matches(hash, "x".repeat(72))).toBe(true);
    expect(await matches(hash, `${"x".repeat(72)}y`)).toBe(true);
    expect(await matches(hash, `${"x".repeat(71)}y`)).toBe(false);
    expect(await matches(hash, "x".repeat(71))).toBe(false);
  });

  it("does not end at a NUL", async () => {
    expect(await matches(hash, `${"x".repeat(71)}\u0000`)).toBe(false);
    const made = { scheme: "bcrypt", cost: 4 } as const;
    const tags = ["before", "before\u0000", "before\u0000after"].map((password) =>
      foreignTag(argon2, made, password, new Uint8Array(16), 23),
    );
    expect(new Set((await Promise.all(tags)).map((tag) => Buffer.from(tag).toString("hex"))).size).toBe(3);
  });
});

function isKey(value: unknown): value is string {
  return typeof value === "string" && value.length > 60;
}
