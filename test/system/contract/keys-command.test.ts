import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Instance, startInstance } from "../../../scripts/instance.mjs";
import {
  answerChallenge,
  challenged,
  expectProblem,
  get,
  logIn,
  me,
  newPerson,
  type Person,
  post,
  refreshed,
  registered,
  sessionOf,
  signedIn,
  signedInTwice,
  type TwoFactorPerson,
  talkTo,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";
import { expectDeadLink, reset, resetLink } from "../../support/life-client.ts";
import {
  type PasskeyPerson,
  passkeyPerson,
  signInByPasskey,
  usernamelessAssertion,
  verifyPasskey,
} from "../../support/passkey-client.ts";
import { JWKS, publishedKeys, REVOKED, revokedFeed } from "../../support/published.ts";
import { sharedInstance } from "../../support/shared-instance.ts";

const HOUR_MS = 3_600_000;
/** Each command asks wrangler some three times, which takes a second or two each. */
const COMMANDS_MS = 240_000;
const ROTATING = [
  "signing",
  "challenge",
  "refresh",
  "link",
  "assertion",
  "dpop",
  "seal",
  "pepper",
  "recovery",
  "checkpoint",
];
const NEVER_ROTATED = ["digest", "handle"];

interface ListedKey {
  key: string;
  purpose: string;
  state: string;
  since: number;
  changes_at: number | null;
}
interface Listed {
  version: number;
  epoch: number;
  not_before: number;
  sealed_by: string;
  keys: ListedKey[];
}

const state = mkdtempSync(join(tmpdir(), "sallyport-keys-"));
let instance: Instance;

/** Starts the instance, or starts it again on the same state and at the same address with another secret. */
async function start(rootSecret?: string): Promise<void> {
  const before: Instance | undefined = instance;
  await before?.stop();
  instance = await startInstance({
    state,
    ...(before === undefined ? {} : { port: before.port }),
    ...(rootSecret === undefined ? {} : { rootSecret }),
  });
  talkTo(instance.url);
}

/** `npm run keys`. */
function keys(...args: string[]): Promise<{ code: number; output: string }> {
  const where = ["--state", state, "--url", instance.url];
  return new Promise((resolve) => {
    execFile("npm", ["run", "--silent", "keys", "--", ...args, ...where], (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

async function list(): Promise<Listed> {
  const { code, output } = await keys("list", "--json");
  expect(code, output).toBe(0);
  return JSON.parse(output) as Listed;
}

const inState = (listed: Listed, purpose: string, which: string): string[] =>
  listed.keys.filter((key) => key.purpose === purpose && key.state === which).map(({ key }) => key);
const signing = (listed: Listed, which: string): string => String(inState(listed, "signing", which)[0]);
const kidOf = (access: string) => String(decodeProtectedHeader(access).kid);
const publishedKids = async () => (await publishedKeys()).map(({ kid }) => String(kid)).sort();

/** The ring as the last command has shown it. */
let listed: Listed;
let person: Person;
let owner: TwoFactorPerson;
let keyed: PasskeyPerson;
beforeAll(async () => {
  await start();
  [person, owner, keyed] = await Promise.all([verifiedPerson(), twoFactorPerson(), passkeyPerson()]);
}, COMMANDS_MS);
afterAll(async () => {
  talkTo(sharedInstance());
  await instance.stop();
  rmSync(state, { recursive: true, force: true });
});

describe("npm run keys", { timeout: COMMANDS_MS }, () => {
  it("lists one active key a purpose and one that follows, and shows no secret", async () => {
    const { access } = await signedIn(person);
    const { code, output } = await keys("list", "--json");
    expect(code, output).toBe(0);
    listed = JSON.parse(output) as Listed;
    for (const purpose of ROTATING)
      for (const which of ["active", "next"]) expect(inState(listed, purpose, which), purpose).toHaveLength(1);
    for (const purpose of NEVER_ROTATED) expect(inState(listed, purpose, "active"), purpose).toHaveLength(1);
    expect(listed.keys.filter((key) => key.state === "retired")).toEqual([]);
    expect(signing(listed, "active")).toBe(kidOf(access));
    expect([signing(listed, "active"), signing(listed, "next")].sort()).toEqual(await publishedKids());
    expect(new Set(listed.keys.map(({ key }) => key)).size).toBe(listed.keys.length);
    expect(listed).toMatchObject({ not_before: 0, sealed_by: "first" });
    for (const { since } of listed.keys) expect(Math.abs(since - Date.now())).toBeLessThan(HOUR_MS);
    const active = listed.keys.find(({ key }) => key === kidOf(access));
    expect(Math.abs(Number(active?.changes_at) - Date.now() - 90 * 24 * HOUR_MS)).toBeLessThan(25 * HOUR_MS);
    const members = new Set(listed.keys.flatMap((key) => Object.keys(key)));
    expect([...members].filter((member) => /^(d|k|x|y|jwk|secret|private|bytes)$/i.test(member))).toEqual([]);
    const table = await keys("list");
    expect(table.code, table.output).toBe(0);
    expect(table.output).toContain(kidOf(access));
    for (const shown of [output, table.output]) {
      expect(shown).not.toContain(instance.rootSecret ?? "none");
      // Nothing as long as a key but the thumbprints of those that are published.
      const long = shown.match(/[\w+/-]{40,}/g)?.filter((word) => !/^-+$/.test(word)) ?? [];
      expect(new Set(long)).toEqual(new Set(await publishedKids()));
    }
  });

  it("puts a rotation off until every cache has seen the next key", async () => {
    const [before, jwks] = [listed, await get(JWKS)];
    const session = await signedIn(person);
    const { code, output } = await keys("rotate", "--json");
    expect(code, output).toBe(0);
    const next = before.keys.find(({ key }) => key === signing(before, "next"));
    const result = JSON.parse(output) as { kind: string; key: string; at: number };
    expect(result.kind).not.toBe("rotated");
    expect(result.key).toBe(next?.key);
    expect(Math.abs(result.at - Number(next?.since) - 24 * HOUR_MS)).toBeLessThan(60_000);
    const refused = await keys("rotate", "digest");
    expect(refused).toMatchObject({ code: 1, output: expect.stringMatching(/never rotated/) });
    listed = await list();
    for (const purpose of ROTATING)
      for (const which of ["active", "next"])
        expect(inState(listed, purpose, which)).toEqual(inState(before, purpose, which));
    expect((await get(JWKS)).text).toBe(jwks.text);
    expect(kidOf(text(await refreshed(session.refresh), "access_token"))).toBe(signing(before, "active"));
  });

  it("drops the key that signs: all of before is over, and the next one signs", async () => {
    const before = listed;
    const [lost, next] = [signing(before, "active"), signing(before, "next")];
    const [session, twice] = [await signedIn(person), await signedInTwice(owner)];
    const [challenge, link] = [await challenged(owner), await resetLink(person)];
    const stranger = newPerson();
    const registration = await registered(stranger);
    const assertion = await usernamelessAssertion(keyed.passkey);
    const [jwks, at] = [await get(JWKS), Date.now()];
    expect((await me(session.access)).status).toBe(200);
    const { code, output } = await keys("drop", lost, "--json");
    expect(code, output).toBe(0);

    await eventually(async () => !(await publishedKids()).includes(lost));
    const after = await list();
    listed = after;
    const anew = await get(JWKS, { headers: { "if-none-match": jwks.headers.get("etag") ?? "" } });
    expect({ status: anew.status, isNew: anew.text !== jwks.text }).toEqual({ status: 200, isNew: true });
    expect(signing(after, "active")).toBe(next);
    expect(await publishedKids()).toEqual([next, signing(after, "next")].sort());
    expect(before.keys.map(({ key }) => key)).not.toContain(signing(after, "next"));
    expect(after.epoch).toBeGreaterThan(before.epoch);
    expect(Math.abs(after.not_before - at)).toBeLessThan(60_000);
    for (const { access, refresh } of [session, twice]) {
      expectProblem(await me(access), 401, "invalid_token");
      expectProblem(await refreshed(refresh), 401, "invalid_refresh_token");
    }
    expectProblem(await answerChallenge(challenge, owner.authenticator.wrong()), 401, "invalid_challenge");
    const byPasskey = await verifyPasskey(assertion);
    expectProblem(byPasskey, 401, ["invalid_challenge", "invalid_code", "sign_in_failed"]);
    expectDeadLink(await reset(link));
    expectDeadLink(await post("/auth/email/verify", { token: registration, password: stranger.password }));

    // Passwords and factors are what they were.
    const again = await signedIn(person);
    expect(kidOf(again.access)).toBe(next);
    expect((await me(again.access)).status).toBe(200);
    expect((await refreshed(again.refresh)).status).toBe(200);
    expect((await me((await signedInTwice(owner)).access)).body.acr).toBe("aal2");
    expect((await signInByPasskey(keyed.passkey)).body.status).toBe("authenticated");
    const { header, claims } = await revokedFeed();
    expect(header.kid).toBe(next);
    expect(claims.not_before).toBe(Math.floor(after.not_before / 1000));
    expect(decodeJwt(again.access).iat).toBeGreaterThanOrEqual(claims.not_before);
  });

  it("drops a data key: all of before is over once more", async () => {
    const before = listed;
    const session = await signedIn(person);
    const [refreshKey] = inState(before, "refresh", "active");
    const { code, output } = await keys("drop", String(refreshKey));
    expect(code, output).toBe(0);
    await eventually(async () => (await refreshed(session.refresh)).status === 401);
    expectProblem(await me(session.access), 401, "invalid_token");
    const after = await list();
    expect(after.keys.map(({ key }) => key)).not.toContain(refreshKey);
    expect(inState(after, "refresh", "active")).toEqual(inState(before, "refresh", "next"));
    expect(signing(after, "active")).toBe(signing(before, "next"));
    expect((await refreshed((await signedIn(person)).refresh)).status).toBe(200);
  });

  it("moves the ring to a new root secret, while sessions go on", async () => {
    const session = await signedIn(person);
    const old = String(instance.rootSecret);
    const fresh = randomBytes(32).toString("base64url");
    const jwks = (await get(JWKS)).text;
    await start(`${fresh},${old}`);
    // Nor does a copy of before the drops come back with a new isolate.
    expect((await get(JWKS)).text).toBe(jwks);
    const before = await list();
    expect(before.sealed_by).not.toBe("first");
    const next = sessionOf(await refreshed(session.refresh));
    const traffic = Array.from({ length: 20 }, async (_, i) => {
      await sleep(i * 200);
      return (await me(next.access)).status;
    });
    const { code, output } = await keys("rewrap");
    expect(code, output).toBe(0);
    expect(output).not.toContain(fresh);
    expect(new Set(await Promise.all(traffic))).toEqual(new Set([200]));
    const after = await list();
    expect(after).toMatchObject({ sealed_by: "first", version: before.version + 1, epoch: before.epoch });
    await start(fresh);
    expect((await me(next.access)).status).toBe(200);
    const last = sessionOf(await refreshed(next.refresh));
    expect((await logIn(person)).status).toBe(200);
    expect((await signInByPasskey(keyed.passkey)).body.status).toBe("authenticated");
    await start(old);
    expect((await get(REVOKED)).status).toBe(503);
    expect((await post("/auth/refresh", { refresh_token: last.refresh }, { patient: false })).status).toBe(503);
  });
});

/** Waits for what the memory of an isolate may put off: locally a few seconds. */
async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await isSo()); await sleep(500))
    if (Date.now() > end) throw new Error("it has not come to be within twenty seconds");
}
