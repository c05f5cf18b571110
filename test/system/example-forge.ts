import { type ChildProcess, spawn } from "node:child_process";
import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { request } from "node:http";

// What the tests of the examples need: the one for Node as a program, requests byte for byte, and an issuer of our own,
// so that every member of a token can be wrong while its signature is right. A missing check then shows as a 200.

export type Json = Record<string, unknown>;
export type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: Json };

export const ISSUER = "https://issuer.example";
export const AUDIENCE = "https://service.example";
export const trusted = generateKeyPairSync("ec", { namedCurve: "P-256" });
const { crv, kty, x, y } = trusted.publicKey.export({ format: "jwk" });
/** The key's RFC 7638 thumbprint, as in a real key set: there are verifiers that know how long it is. */
export const KID = createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
export const publicJwk = { crv, kty, x, y, use: "sig", alg: "ES256", kid: KID };

const children: ChildProcess[] = [];

/** Starts the example with `env` and resolves to its origin; rejects with what it wrote when it ends instead. */
export function startExample(env: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, ["examples/node/server.mjs"], {
    env: { ...process.env, ISSUER: "", AUDIENCE: "", JWKS_URL: "", PORT: "0", ...env },
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    let output = "";
    const read = (chunk: Buffer) => {
      output += chunk;
      const address = /listening on (http:\S+)/.exec(output)?.[1];
      if (address) resolve(address);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("close", (code) => reject(new Error(`ended with ${code}: ${output}`)));
  });
}

/** Ends every example that was started. */
export function stopExamples(): void {
  for (const child of children) child.kill();
}

/** One request with exactly these header lines, duplicates included. Status 0: the connection was cut. */
export function ask(url: string, headers: string[] = [], method = "GET"): Promise<Answer> {
  return new Promise((resolve) => {
    const cut = () => resolve({ status: 0, headers: {}, body: {} });
    const sent = request(url, { method, headers: ["Host", new URL(url).host, ...headers], agent: false }, (answer) => {
      let text = "";
      answer.on("data", (chunk: Buffer) => {
        text += chunk;
      });
      answer.on("error", cut);
      answer.on("end", () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: text.startsWith("{") ? JSON.parse(text) : {},
        }),
      );
    });
    sent.on("error", cut);
    sent.end();
  });
}

/** Now, as tokens count it. */
export const seconds = () => Math.floor(Date.now() / 1000);
/** JSON, or text as it is, in base64url. */
export const encode = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** Claims that the example accepts, with `changes`; a member that is `undefined` is left out. */
export function claims(changes: Json = {}): Json {
  const now = seconds();
  const good = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "user-1",
    sid: "session-1",
    jti: "token-1",
    client_id: "first-party",
  };
  return { ...good, iat: now, exp: now + 300, auth_time: now, acr: "aal2", amr: ["pwd", "otp", "mfa"], ...changes };
}

type Parts = { header?: Json | string; claims?: Json | string; key?: KeyObject; dsaEncoding?: "ieee-p1363" | "der" };

/** A token signed by the trusted key unless told otherwise. `undefined` members are left out, text goes in as it is. */
export function forge(parts: Parts = {}): string {
  const header =
    typeof parts.header === "string" ? parts.header : { alg: "ES256", typ: "at+jwt", kid: KID, ...parts.header };
  const input = `${encode(header)}.${encode(parts.claims ?? claims())}`;
  const { key = trusted.privateKey, dsaEncoding = "ieee-p1363" } = parts;
  return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding }).toString("base64url")}`;
}

/** The good claims as JSON text in which the value of one member is replaced by other text. */
export const rawClaims = (member: string, text: string) =>
  JSON.stringify(claims({ [member]: "@" })).replace(`"${member}":"@"`, `"${member}":${text}`);

/** A token whose MAC was made with the public key, for a service that lets the token choose the algorithm. */
export function confused(alg: "HS256" | "HS512", key: string | Buffer): string {
  const input = `${encode({ alg, typ: "at+jwt", kid: KID })}.${encode(claims())}`;
  return `${input}.${createHmac(alg.replace("HS", "sha"), key).update(input).digest("base64url")}`;
}

/** The same signature bytes with a spare bit of the last character set, which lenient decoders drop. */
export function respell(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return token.slice(0, -1) + alphabet.charAt(alphabet.indexOf(token.slice(-1)) + 1);
}
