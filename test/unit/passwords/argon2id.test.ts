import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { argon2id as nobleArgon2id } from "@noble/hashes/argon2.js";
import { describe, expect, it, vi } from "vitest";
import { type Argon2Parameters, argon2idOf } from "../../../src/passwords/argon2id.ts";
import { ARGON2ID, PASSWORD_TAG_BYTES } from "../../../src/policy.ts";

// The very file that the Worker imports; only the way it is loaded differs.
const wasm = readFileSync(createRequire(import.meta.url).resolve("@phi-ag/argon2/argon2.wasm"));
// The types are the runtime's, where code may not compile anything; here, in Node, it may.
const Module = WebAssembly.Module as unknown as new (bytes: Uint8Array) => WebAssembly.Module;
const compiled = () => new Module(wasm);
const argon2id = argon2idOf(compiled());

const SMALL: Argon2Parameters = { memory: 64, passes: 2, lanes: 1 };
const SALT = Uint8Array.from({ length: 16 }, (_, index) => index * 7 + 1);

describe("argon2id equals @noble/hashes", () => {
  it.each([
    ["Latin", "correct horse battery staple"],
    ["Cyrillic", "кораблик в тумане 1"],
    ["CJK", "春眠不覺曉處處聞啼鳥"],
    ["emoji", "👩‍👩‍👧‍👦🦆🌊 утка"],
    ["NUL inside", "before\u0000after"],
    ["NUL at the end", "before\u0000"],
    ["nothing", ""],
    ["1024 bytes", "x".repeat(1024)],
    ["1024 bytes of emoji", "🦆".repeat(256)],
  ])("over %s", (_, password) => {
    expect(hashOf(password, SMALL)).toBe(nobleHashOf(password, SMALL));
  });

  it.each([
    { memory: 8, passes: 1, lanes: 1 },
    { memory: 33, passes: 3, lanes: 1 },
    { memory: 256, passes: 1, lanes: 2 },
  ])("with $memory KiB, $passes passes and $lanes lanes", (parameters) => {
    expect(hashOf("same bytes", parameters)).toBe(nobleHashOf("same bytes", parameters));
  });

  it.each(["correct horse battery staple", "кораблик в тумане 🦆"])("at full cost over %j", (password) => {
    expect(hashOf(password, ARGON2ID)).toBe(nobleHashOf(password, ARGON2ID));
  });

  it("for tags and salts of other lengths", () => {
    const salt = SALT.subarray(0, 9);
    const ours = argon2id(bytesOf("password"), salt, SMALL, 64);
    expect(hex(ours)).toBe(hex(nobleArgon2id(bytesOf("password"), salt, { m: 64, t: 2, p: 1, dkLen: 64 })));
  });
});

describe("every byte of a password counts", () => {
  // A library that takes the number of UTF-16 units for the number of bytes ignores exactly these ends.
  it.each([
    ["Latin", "correct horse battery stapl", "e", "f"],
    ["Cyrillic", "кораблик в тумане ", "1", "2"],
    ["Cyrillic to its last letter", "кораблик в тумане дв", "а", "е"],
    ["CJK", "春眠不覺曉處處聞啼", "鳥", "魚"],
    ["emoji", "👩‍👩‍👧‍👦🦆🌊🌊🌊", "🦆", "🦢"],
    ["after a NUL", "before\u0000afte", "r", "s"],
    ["past 72 bytes", "x".repeat(72), "a", "b"],
    ["past 1000 bytes", "x".repeat(1023), "a", "b"],
  ])("a changed last character changes the hash: %s", (_, start, last, other) => {
    expect(hashOf(start + last, SMALL)).not.toBe(hashOf(start + other, SMALL));
    expect(hashOf(start + last, SMALL)).not.toBe(hashOf(start, SMALL));
  });

  it("a trailing NUL or space changes the hash", () => {
    const hashes = ["password", "password\u0000", "password ", " password", "Password"].map((it) => hashOf(it, SMALL));
    expect(new Set(hashes).size).toBe(5);
  });
});

describe("the instance", () => {
  it("gives the same hash again after its memory has grown", () => {
    const fresh = argon2idOf(compiled());
    const small = () => hex(fresh(bytesOf("again"), SALT, SMALL, PASSWORD_TAG_BYTES));
    const before = small();
    fresh(bytesOf("x".repeat(1024)), SALT, { memory: 4096, passes: 1, lanes: 1 }, PASSWORD_TAG_BYTES);
    expect(small()).toBe(before);
  });

  it("never holds more than the greatest hash takes", () => {
    const module = compiled();
    const made: WebAssembly.Memory[] = [];
    class Observed extends WebAssembly.Instance {
      constructor(module: WebAssembly.Module) {
        super(module);
        made.push(this.exports.memory as WebAssembly.Memory);
      }
    }
    vi.stubGlobal("WebAssembly", { ...WebAssembly, Instance: Observed });
    const argon = argon2idOf(module);
    const hash = (memory: number) => argon(bytesOf("x"), SALT, { memory, passes: 1, lanes: 1 }, PASSWORD_TAG_BYTES);
    for (const memory of [4_096, 16_384, 4_096, 16_384, 8_192]) hash(memory);
    vi.unstubAllGlobals();
    expect(made).toHaveLength(2);
    expect(made.at(-1)?.buffer.byteLength).toBeLessThan(17 * 1024 * 1024);
  });

  it("throws for a cost it cannot have, and goes on working", () => {
    expect(() => argon2id(bytesOf("x"), SALT, { ...SMALL, passes: 0 }, PASSWORD_TAG_BYTES)).toThrow("Argon2id failed");
    expect(() => argon2id(bytesOf("x"), SALT.subarray(0, 4), SMALL, PASSWORD_TAG_BYTES)).toThrow("Argon2id failed");
    expect(hashOf("after", SMALL)).toBe(nobleHashOf("after", SMALL));
  });

  it("hands out tags that the next hash does not overwrite", () => {
    const first = argon2id(bytesOf("first"), SALT, SMALL, PASSWORD_TAG_BYTES);
    const kept = hex(first);
    argon2id(bytesOf("second"), SALT, SMALL, PASSWORD_TAG_BYTES);
    expect(hex(first)).toBe(kept);
  });
});

it("the cost of the service is no lower than OWASP's minimum for Argon2id", () => {
  expect(ARGON2ID.memory).toBeGreaterThanOrEqual(19 * 1024);
  expect(ARGON2ID.passes).toBeGreaterThanOrEqual(2);
});

function hashOf(password: string, parameters: Argon2Parameters): string {
  return hex(argon2id(bytesOf(password), SALT, parameters, PASSWORD_TAG_BYTES));
}

function nobleHashOf(password: string, { memory, passes, lanes }: Argon2Parameters): string {
  return hex(nobleArgon2id(bytesOf(password), SALT, { m: memory, t: passes, p: lanes, dkLen: PASSWORD_TAG_BYTES }));
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
