// What verifying an access token costs beside the one thing in it that must cost something: the signature. Both are
// measured in one run, in turns, because the machine is never as fast as it was a minute ago; what counts is the ratio.
//
//   npm run bench [-- --json FILE]
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { SignJWT } from "jose";
import { verifyAccessToken } from "../src/sdk/verify.ts";

/** More than this, and somebody has made verifying expensive. */
const LIMIT = 1.3;
const ROUNDS = 30;
const CALLS = 200;
const ES256 = { name: "ECDSA", hash: "SHA-256" };

const issuer = "https://auth.example.com";
const audience = "orders";
const kid = "zd0vSQ9mDqTQGhqgVqHQ9GyRm8h5kVqkPAwHCIrCwzA";

const { json } = parseArgs({ options: { json: { type: "string" } } }).values;

const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
const token = await newToken(Math.floor(Date.now() / 1000));
const [header, payload, signaturePart] = token.split(".");
const signed = new TextEncoder().encode(`${header}.${payload}`);
const signature = new Uint8Array(Buffer.from(signaturePart, "base64url"));
const options = { issuer, audience, keys: { keyFor: async () => pair.publicKey } };

/** A token as the service makes them. */
function newToken(now) {
  const proof = { auth_time: now - 30, acr: "aal2", amr: ["pwd", "otp", "mfa"] };
  const names = { iss: issuer, sub: crypto.randomUUID(), aud: audience, client_id: "first-party" };
  const life = { iat: now, exp: now + 300, jti: crypto.randomUUID(), sid: crypto.randomUUID() };
  const claims = { ...names, ...life, ...proof, factors: { pwd: now - 60, otp: now - 30 }, roles: ["reader"] };
  return new SignJWT(claims).setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid }).sign(pair.privateKey);
}

const contenders = {
  "crypto.subtle.verify": async () => {
    if (!(await crypto.subtle.verify(ES256, pair.publicKey, signature, signed))) throw new Error("not verified");
  },
  verifyAccessToken: async () => {
    if ((await verifyAccessToken(token, options)).aud !== audience) throw new Error("not verified");
  },
};

/** Microseconds of each call, each contender after the other, `CALLS` times over. */
async function round(times) {
  for (let call = 0; call < CALLS; call += 1) {
    for (const [name, verify] of Object.entries(contenders)) {
      const start = performance.now();
      await verify();
      times[name].push((performance.now() - start) * 1000);
    }
  }
}

function quantile(values, share) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)];
}

const newTimes = () => Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));

await round(newTimes());
const rounds = [];
for (let done = 0; done < ROUNDS; done += 1) {
  const times = newTimes();
  await round(times);
  rounds.push(times);
}

const all = Object.keys(contenders).map((name) => rounds.flatMap((times) => times[name]));
const [bare, ours] = all.map((times) => ({ median: quantile(times, 0.5), p95: quantile(times, 0.95) }));
// The ratio of each round, so that one bad second is one bad round.
const ratios = rounds.map((times) => {
  const [bareMedian, oursMedian] = Object.keys(contenders).map((name) => quantile(times[name], 0.5));
  return oursMedian / bareMedian;
});
const ratio = quantile(ratios, 0.5);
const isWithin = ratio <= LIMIT;

const line = (name, { median, p95 }) =>
  `${name.padEnd(24)}${median.toFixed(1).padStart(10)}${p95.toFixed(1).padStart(10)}`;
console.log(`${"microseconds".padEnd(24)}${"median".padStart(10)}${"p95".padStart(10)}`);
console.log(line("crypto.subtle.verify", bare));
console.log(line("verifyAccessToken", ours));
console.log(`ratio ${ratio.toFixed(3)}, at most ${LIMIT}: ${isWithin ? "kept" : "BROKEN"}`);
if (json) {
  const result = { ratio, limit: LIMIT, microseconds: { bare, verifyAccessToken: ours }, calls: ROUNDS * CALLS };
  writeFileSync(
    json,
    `${JSON.stringify({ ...result, node: process.version, tokenLength: token.length }, undefined, 2)}\n`,
  );
}
process.exitCode = isWithin ? 0 : 1;
