import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Browser } from "../../support/browser.ts";
import {
  answerChallenge,
  expectProblem,
  type Json,
  logIn,
  me,
  newPerson,
  newSource,
  type Person,
  post,
  refreshed,
  sessionOf,
  talkTo,
  text,
} from "../../support/client.ts";
import { changePassword, freshAccess, freshByPasskey, plainPerson, resetLink } from "../../support/life-client.ts";
import {
  accountId,
  eventually,
  exported,
  minuteCron,
  type Operated,
  operatorToken,
  says,
  talkToOperated,
} from "../../support/operator-client.ts";
import { addPasskey, syncedPasskey } from "../../support/passkey-client.ts";
import { mailedProof } from "../../support/proof-mode.ts";
import { coveredPerson, recover, spare, wrongRecoveryCode } from "../../support/recovery-client.ts";
import { sharedInstance } from "../../support/shared-instance.ts";

/** Names of the OWASP logging vocabulary: a category, and what happened in it. */
const OWASP =
  /^(authn|authz|crypt|excess|file|input|malicious|privilege|sensitive|sequence|session|sys|upload|user)_[a-z_]+$/;

/** An address whose last number is in no other word of a test. */
const source = `${newSource().split(".").slice(0, 3).join(".")}.${200 + Math.floor(Math.random() * 50)}`;
const words = () => `canary ${randomBytes(6).toString("hex")} of the quiet hills`;
const wrongPassword = words();
const newPassword = words();

let operated: Operated;
let person: Person & { id: string };
let events: Json[];
/** What must be found nowhere, by what it is. */
const secrets: Record<string, string> = {};
const keep = (what: string, secret: string): string => {
  secrets[what] = secret;
  return secret;
};
const unknown = newPerson({ source });
const stranger = newPerson({ source: `${source.split(".").slice(0, 3).join(".")}.1` });

beforeAll(async () => {
  operated = await talkToOperated();
  const covered = await coveredPerson({ password: keep("the password", words()), source });
  person = { ...covered, id: await accountId(covered.session.access) };
  keep("the address", covered.email);
  keep("the unknown address", unknown.email);
  keep("the client", source);
  keep("a wrong password", wrongPassword);
  keep("a new password", newPassword);
  keep("a recovery code", covered.codes[0] ?? "");
  keep("a refresh token", covered.session.refresh);
  keep("an access token", covered.session.access);

  // In the order in which they are looked for below.
  expectProblem(await logIn({ ...covered, password: wrongPassword }), 401, "sign_in_failed");
  expectProblem(await logIn({ ...unknown, password: wrongPassword }), 401, "sign_in_failed");
  const browser = new Browser(source);
  const challenge = keep("a challenge token", await browser.challenged(covered));
  const wrong = await browser.answer(challenge, covered.authenticator.wrong());
  expectProblem(wrong, 401, "invalid_code");
  keep("a wrong recovery code", wrongRecoveryCode());
  await recover(challenge, secrets["a wrong recovery code"], { source });
  const signIn = await browser.answer(challenge, await covered.authenticator.next());
  expect(signIn.body.status, signIn.text).toBe("authenticated");
  for (const [name, value] of browser.cookies) keep(name, value);
  const bearer = keep("a browser's access token", text(signIn, "access_token"));
  const session = sessionOf(await recover(text(await logIn(covered), "challenge_token"), spare(covered), { source }));
  for (let i = 0; i < 8; i++) await logIn({ ...stranger, password: wrongPassword });
  const forged = bearer.replace(/[^.]+$/, (signature) => `${signature.slice(0, 60)}${"A".repeat(26)}`);
  expectProblem(await post("/auth/step-up", {}, { source, bearer: forged }), 401, "invalid_token");
  const evil = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  const cookie = [...browser.cookies].map((pair) => pair.join("=")).join("; ");
  expectProblem(await post("/auth/refresh", {}, { source, cookie, headers: evil }), 403, "forbidden_origin");
  const next = sessionOf(await refreshed(session.refresh, { source }));
  keep("a used refresh token", session.refresh);
  await refreshed(next.refresh, { source });
  expectProblem(await refreshed(session.refresh, { source }), 401, "invalid_refresh_token");
  keep("a reset link", await resetLink(covered));
  keep("a proof", await mailedProof(covered));
  await post("/auth/login", { email: covered.email, password: wrongPassword, admin: true }, { source });

  await eventually("whole of the events", whole, 50);
}, 180_000);
afterAll(() => talkTo(sharedInstance()));

/** The export, once it holds what came last and what travels slowest: what belongs to every sign-in. */
async function whole(): Promise<true | undefined> {
  events = (await exported(await operatorToken(operated.admin))).events;
  const names = mine().map(({ kind }) => String(kind));
  const isThere = (name: RegExp) => names.some((one) => name.test(one));
  // What gates tell comes by ways of its own.
  const told = namesOf(network());
  const isTold = ["excess_rate_limit_exceeded", "input_validation_fail", "malicious_cors", "authz_fail"];
  const isWhole = isThere(/^authn_login_success/) && isThere(/^authn_token_reuse/);
  return isWhole && isTold.every((name) => told.includes(name)) ? true : undefined;
}
const mine = (): Json[] => events.filter((event) => says(event, person.id));
const namesOf = (list: Json[]): string[] => list.map(({ kind }) => String(kind));
const network = () => {
  const one = mine().find(({ kind }) => kind === "authn_login_fail");
  return events.filter((event) => event.source === one?.source);
};

describe("the events of a bad morning", () => {
  it("all have a name of the OWASP vocabulary, a time in UTC with milliseconds, and an id of their own", () => {
    for (const event of events) {
      expect(event.kind).toMatch(OWASP);
      expect(event.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  });

  it("tell of the wrong password, the wrong code and the wrong recovery code, each with its factor and reason", () => {
    const failures = mine().filter(({ kind }) => String(kind).startsWith("authn_login_fail"));
    expect(failures.length).toBeGreaterThanOrEqual(3);
    expect(failures.some((event) => /"(pwd|password)"/.test(JSON.stringify(event)))).toBe(true);
    expect(failures.some((event) => /"(otp|totp)"/.test(JSON.stringify(event)))).toBe(true);
    expect(failures.some((event) => says(event, "recovery"))).toBe(true);
    for (const event of failures) expect(JSON.stringify(event)).toMatch(/"reason":"[a-z_]+"/);
  });

  it("tell of the right sign-in that came after failures, with its session", () => {
    const [first] = mine().filter(({ kind }) => String(kind).startsWith("authn_login_success"));
    expect(first).toBeDefined();
    expect(namesOf(mine())).toContain("authn_login_successafterfail");
    expect(JSON.stringify(first)).toMatch(/"(session|sid|session_id)":"[^"]+"/);
  });

  it("tell of the unknown address without an account", () => {
    const failures = network().filter(({ kind, account }) => kind === "authn_login_fail" && !account);
    expect(failures.length).toBeGreaterThan(0);
  });

  it("tell of tries that were throttled", () => {
    const names = namesOf(network());
    const throttled = ["excess_rate_limit_exceeded", "authn_login_fail_max", "authn_login_lock"];
    expect(names.filter((name) => throttled.includes(name)).length).toBeGreaterThan(0);
  });

  it("tell of the forged token, the foreign origin, the malformed body and the token used twice", () => {
    const names = namesOf(network());
    expect(names.some((name) => /^(authz_fail|authn_token_|malicious_)/.test(name))).toBe(true);
    expect(network().some((event) => /origin/.test(JSON.stringify(event)))).toBe(true);
    expect(network().some((event) => /token/.test(JSON.stringify(event)))).toBe(true);
    expect(names).toContain("input_validation_fail");
    expect(namesOf(mine())).toContain("authn_token_reuse");
  });

  it("tell of a new password, a new factor and a sign-out", async () => {
    const plain = await plainPerson();
    const id = await accountId(plain.session.access);
    const changed = await changePassword(plain.session.access, plain, newPassword);
    expect(changed.status, changed.text).toBe(200);
    const passkey = syncedPasskey();
    const access = await freshAccess({ ...plain, password: newPassword });
    expect((await addPasskey(access, passkey)).status).toBe(201);
    const token = await freshByPasskey({ ...plain, passkey, passkeyId: "", session: plain.session });
    expect((await post("/auth/logout", {}, { bearer: token })).status).toBe(204);
    expectProblem(await me(token), 401, "invalid_token");
    await eventually(
      "events of all this",
      async () => {
        const { events: all } = await exported(await operatorToken(operated.admin));
        const theirs = all.filter((event) => says(event, id));
        const names = namesOf(theirs);
        const hasAll = ["authn_password_change", "authn_token_revoked"].every((name) => names.includes(name));
        return hasAll && theirs.some((event) => /factor|passkey/.test(JSON.stringify(event))) ? true : undefined;
      },
      45,
    );
  });
});

describe("nothing that is secret", () => {
  /** A token without what anybody may know, such as a common header: its longest part. */
  const partsOf = (secret: string): string[] => [secret, ...secret.split(".").filter((part) => part.length > 40)];

  it("stands in an event: no password, code, token, cookie, mailed link, address of a person or of a client", async () => {
    const { answer } = await exported(await operatorToken(operated.admin));
    for (const [what, secret] of Object.entries(secrets)) {
      expect(secret, what).not.toBe("");
      for (const part of partsOf(secret))
        expect({ what, found: answer.text.includes(part) }).toEqual({ what, found: false });
    }
    expect(answer.text.toLowerCase()).not.toContain("@mail.example");
  });

  it("stands in a line of the log, where each event is one line of JSON", async () => {
    const output = operated.instance.output();
    for (const [what, secret] of Object.entries(secrets))
      expect({ what, found: output.includes(secret) }).toEqual({ what, found: false });
    const lines = output.split("\n").filter((line) => line.includes("authn_login_fail"));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(JSON.parse(line.slice(line.indexOf("{")))).toBeTypeOf("object");
  });

  it("is stored in either database or in an object", async () => {
    await minuteCron();
    const public_ = ["the address", "the client", "the unknown address"];
    for (const file of readdirSync(operated.instance.state, { recursive: true, encoding: "utf8" })) {
      const path = join(operated.instance.state, file);
      // A write-ahead log goes when its object does.
      if (!/sqlite(-wal)?$/.test(file) || !existsSync(path)) continue;
      const bytes = readFileSync(path);
      for (const [what, secret] of Object.entries(secrets))
        if (!public_.includes(what)) expect({ what, file, at: bytes.indexOf(secret) }).toEqual({ what, file, at: -1 });
      // Gates and the platform's rate limit count by the address of a client: that is what they are for.
      if (!/GateObject|RateLimiter/.test(file)) expect({ file, at: bytes.indexOf(source) }).toEqual({ file, at: -1 });
      expect({ file, at: bytes.indexOf(unknown.email) }).toEqual({ file, at: -1 });
    }
  });

  it("was right: the challenge token of the test is one", async () => {
    expectProblem(await answerChallenge(secrets["a challenge token"] ?? "", "123456"), 401, "invalid_challenge");
  });
});
