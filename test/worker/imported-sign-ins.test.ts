import { env } from "cloudflare:workers";
import { pbkdf2Sync, scryptSync } from "node:crypto";
import { argon2id } from "@noble/hashes/argon2.js";
import { hashSync } from "bcryptjs";
import { describe, expect, it } from "vitest";
import { isForeignHash } from "../../src/passwords/foreign/stored-hash.ts";
import { ARGON2ID } from "../../src/policy.ts";
import { answer, codeOf, logIn, newSource, type Person } from "../support/in-worker.ts";
import { importAll } from "./support/operations.ts";

// What is shown here is that hundreds get in, and not what a hash costs: ours cost next to nothing in this file.
Object.assign(ARGON2ID, { memory: 64, passes: 1 });
/** With the hashing that follows each sign-in there are places for so many at once. */
const AT_ONCE = 4;
const PEOPLE = 200;
const SOURCES = Array.from({ length: AT_ONCE }, newSource);
const SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const PASSWORDS = ["quiet ducks on a pond", "кораблик в тумане", "春眠不覺曉 處處聞啼鳥", "🦆🌊🦆🌊🦆"];

const bytes = (text: string) => new TextEncoder().encode(text);
const base64 = (data: Uint8Array) => Buffer.from(data).toString("base64");
const unpadded = (data: Uint8Array) => base64(data).replace(/=+$/, "");
const SALT = bytes("salt of 16 bytes");

/** One hash of each kind for a password, at the least that it can cost. */
const KINDS: Record<string, (password: string) => unknown> = {
  Argon2: (password) => {
    const tag = argon2id(bytes(password), SALT, { m: 16, t: 1, p: 2, dkLen: 32 });
    return `$argon2id$v=19$m=16,t=1,p=2$${unpadded(SALT)}$${unpadded(tag)}`;
  },
  bcrypt: (password) => hashSync(password, 4),
  PBKDF2: (password) => {
    const tag = pbkdf2Sync(password, SALT, 10, 32, "sha256");
    return `$pbkdf2-sha256$10$${unpadded(SALT)}$${unpadded(tag)}`;
  },
  "Firebase's scrypt": async (password) => {
    const [signerKey, separator] = [crypto.getRandomValues(new Uint8Array(64)), Uint8Array.of(7)];
    const raw = scryptSync(bytes(password), Buffer.concat([SALT, separator]), 64, { N: 4, r: 1, p: 1 });
    const key = await crypto.subtle.importKey("raw", raw.subarray(0, 32), "AES-CTR", false, ["encrypt"]);
    const counter = { name: "AES-CTR", counter: new Uint8Array(16), length: 64 };
    const hash = base64(new Uint8Array(await crypto.subtle.encrypt(counter, key, signerKey)));
    return {
      ...{ scheme: "firebase-scrypt", hash, salt: base64(SALT), signer_key: base64(signerKey) },
      ...{ salt_separator: base64(separator), rounds: 1, mem_cost: 2 },
    };
  },
};

describe.each(Object.keys(KINDS))("%s", (kind) => {
  it(`brings ${PEOPLE} people in, every other one with an authenticator app`, { timeout: 120_000 }, async () => {
    const hashes = await Promise.all(PASSWORDS.map((password) => KINDS[kind]?.(password)));
    const people = Array.from({ length: PEOPLE }, (_, index) => ({
      id: "",
      email: `person${index}.${crypto.randomUUID()}@example.com`,
      password: PASSWORDS[index % PASSWORDS.length] ?? "",
      hasApp: index % 2 === 1,
    }));
    const lines = people.map(({ email, hasApp }, index) => ({
      email,
      password_hash: hashes[index % PASSWORDS.length],
      ...(hasApp ? { totp_secrets: [SECRET] } : {}),
    }));
    expect(await importAll(lines)).toMatchObject({ imported: PEOPLE, reset_needed: [], refused: [] });
    const outcomes: string[] = [];
    for (let at = 0; at < PEOPLE; at += AT_ONCE) {
      const next = people.slice(at, at + AT_ONCE);
      outcomes.push(...(await Promise.all(next.map((person, index) => bringIn(person, SOURCES[index])))));
    }
    expect(outcomes).toEqual(people.map(({ hasApp }) => (hasApp ? "challenge, then in" : "in")));
    const { results } = await env.DB.prepare("SELECT password FROM users").all<{ password: string }>();
    expect(results.filter(({ password }) => isForeignHash(password))).toEqual([]);
  });
});

/** Signs somebody in, with the code of the app where that is asked for. */
async function bringIn(person: Person, source = newSource()): Promise<string> {
  const { body, text } = await logIn(person, { source });
  if (body.status === "authenticated") return "in";
  if (body.status !== "challenge") return text;
  const answered = await answer(body.challenge_token, codeOf(SECRET, Date.now()), { source });
  return answered.body.status === "authenticated" ? "challenge, then in" : answered.text;
}
