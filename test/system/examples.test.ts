import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { AUDIENCE, ask, claims, forge, ISSUER, seconds } from "./example-forge.ts";
import { IssuerOfKeys } from "./example-keys.ts";
import { EXAMPLES, type Example, stopExamples } from "./example-services.ts";
import { MORE, TEN, twin } from "./example-tokens.ts";

// The same requests to every example. The issuer is this file: its key set, and tokens that may be wrong in any way while
// their signature is right.

/** A machine with two cores that has much else to do builds a Worker in a quarter of a minute. */
const START_MS = 120_000;
/** How soon an example asks for keys again after it got none. */
const RETRY_MS = 5_500;
/** How long an example with fresh keys lets the issuer be, whatever key ids it hears. */
const PAUSE_MS = 30_500;
/** How long a fetch may take. */
const FETCH_MS = 5000;
/** What an answer takes that waits for nobody, on a machine that has much else to do. */
const AT_ONCE_MS = 1000;

const RUNNABLE = EXAMPLES.filter(({ missing }) => missing === undefined);

interface Running {
  origin: string;
  /** What it answered to a good token while there were no keys. */
  withoutKeys: number;
  /** An instance that has had its keys, since when they are fresh, and whose issuer stalls when it is asked again. */
  stalled?: { origin: string; since: number };
}

const STALLING = RUNNABLE.filter(({ afterStall }) => afterStall !== undefined);
const keys = new IssuerOfKeys();
let running: Map<string, Promise<Running>>;

const me = (origin: string, token: string) => ask(`${origin}/me`, ["Authorization", `Bearer ${token}`]);
/** Good but for the key, which nobody has. */
const strangers = (count: number) =>
  Array.from({ length: count }, (_, n) => forge({ header: { kid: `${"x".repeat(41)}${n + 10}` } }));

/** The status of the answer, 0 for one that takes much too long, and the milliseconds that it took. */
async function timed(origin: string, token: string): Promise<{ status: number; ms: number }> {
  const sentAt = performance.now();
  const givenUp = sleep(2 * FETCH_MS, { status: 0 }, { ref: false });
  const { status } = await Promise.race([me(origin, token), givenUp]);
  return { status, ms: performance.now() - sentAt };
}

/** Its answer must be waited for before anything is asked of it. */
function of({ name }: Example): Promise<Running> {
  return running.get(name) ?? Promise.reject(new Error(`${name} was not started`));
}

/** Starts an instance whose keys are at `path`. */
const startAt = (example: Example, path: string) =>
  example.start({ ISSUER, AUDIENCE, JWKS_URL: `${keys.origin}/${path}` });

async function start(example: Example): Promise<Running> {
  const origin = await startAt(example, example.name);
  const { status: withoutKeys } = await me(origin, forge());
  if (!example.afterStall) return { origin, withoutKeys };
  const stalled = await startAt(example, `${example.name}/once`);
  expect((await me(stalled, forge())).status).toBe(200);
  return { origin, withoutKeys, stalled: { origin: stalled, since: performance.now() } };
}

beforeAll(async () => {
  await keys.listen();
  running = new Map(RUNNABLE.map((example) => [example.name, start(example)]));
  await Promise.allSettled(running.values());
  keys.areThere = true;
  await sleep(RETRY_MS);
}, START_MS);

afterAll(async () => {
  await stopExamples();
  keys.close();
});

for (const { name, missing } of EXAMPLES) {
  if (missing === undefined) continue;
  process.stderr.write(`SKIPPED examples/${name}: not installed; on Debian: apt-get install ${missing.join(" ")}\n`);
  test.skip(`examples/${name}: this machine lacks ${missing.join(", ")}`, () => {});
}

describe.each(RUNNABLE)("examples/$name", (example) => {
  test(`answers ${example.withoutKeys} to a good token while there are no keys`, async () => {
    expect((await of(example)).withoutKeys).toBe(example.withoutKeys);
  });

  test.each(TEN.slice(0, 1))("takes a %s token and tells what it says", async (_name, token) => {
    const before = seconds();
    const answer = await me((await of(example)).origin, token());
    expect(answer.status).toBe(200);
    const { sub, acr, amr, sid } = claims();
    expect(answer.body).toEqual({ sub, acr, amr, auth_time: expect.any(Number), sid });
    expect(answer.body.auth_time).toBeOneOf([before, before + 1]);
    expect(answer.headers["content-type"]).toContain("application/json");
  });

  test.each([...TEN.slice(1), ...MORE])("refuses: %s", async (_name, token) => {
    const answer = await me((await of(example)).origin, token());
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toMatch(/^Bearer [^,]*(, )?error="invalid_(token|request)"/);
    expect(answer.body.sub).toBeUndefined();
  });

  test("takes any spelling of the scheme, and no token that stands elsewhere or twice", async () => {
    const url = `${(await of(example)).origin}/me`;
    const token = forge();
    const line = ["Authorization", `Bearer ${token}`];
    expect((await ask(url, ["authorization", `bEARER ${token}`])).status).toBe(200);
    for (const sent of [
      await ask(url),
      await ask(`${url}?access_token=${token}`),
      await ask(url, ["Authorization", `Basic ${token}`]),
      await ask(url, [...line, ...line]),
    ]) {
      expect(sent.status).toBe(401);
      expect(sent.headers["www-authenticate"]).toMatch(/^Bearer/);
    }
  });

  test("takes the other signature that is as valid, (r, n − s): nobody can tell which was made first", async () => {
    expect((await me((await of(example)).origin, twin(forge()))).status).toBe(200);
  });

  if (!example.sparesIssuer) return;
  test("asks for keys at most once, however many unknown key ids come in", async () => {
    const { origin } = await of(example);
    const before = keys.requests(example.name);
    const answers = await Promise.all(strangers(30).map((token) => me(origin, token)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    expect(keys.requests(example.name) - before).toBeLessThanOrEqual(1);
  });
});

// What follows mostly waits: side by side.

test.concurrent("each takes a token no longer once it has expired, even one that it has taken before", async () => {
  await Promise.all(
    RUNNABLE.map(async (example) => {
      const { origin } = await of(example);
      const now = seconds();
      const token = forge({ claims: claims({ iat: now - 200, exp: now - example.tolerance + 3 }) });
      expect((await me(origin, token)).status, example.name).toBe(200);
      await sleep(5000);
      expect((await me(origin, token)).status, example.name).toBe(401);
    }),
  );
});

test.concurrent.each(STALLING)(
  "examples/$name finds a known key while strangers wait for an issuer that stalls",
  async (example) => {
    const { stalled } = await of(example);
    if (!stalled) throw new Error("no second instance");
    await sleep(Math.max(0, stalled.since + PAUSE_MS - performance.now()));
    const asked = keys.requests(`${example.name}/once`);
    const waiting = strangers(10).map((token) => timed(stalled.origin, token));
    await vi.waitUntil(() => keys.requests(`${example.name}/once`) > asked, { timeout: FETCH_MS });
    for (let turn = 0; turn < 5; turn += 1) {
      const { status, ms } = await timed(stalled.origin, forge());
      expect(status).toBe(200);
      expect(ms).toBeLessThan(AT_ONCE_MS);
      await sleep(200);
    }
    for (const { status, ms } of await Promise.all(waiting)) {
      expect(status).toBe(503);
      expect(ms).toBeLessThan(FETCH_MS + AT_ONCE_MS);
    }
    if (example.afterStall !== "pauses") return;
    for (const token of strangers(2)) expect((await timed(stalled.origin, token)).ms).toBeLessThan(AT_ONCE_MS);
    expect(keys.requests(`${example.name}/once`)).toBe(asked + 1);
  },
);

test.concurrent.each(STALLING.filter(({ afterStall }) => afterStall === "pauses"))(
  "examples/$name lets everybody wait once for an issuer that has never answered, and then asks it no more for a while",
  async (example) => {
    const path = `${example.name}/never`;
    const origin = await startAt(example, path);
    const first = await Promise.all(Array.from({ length: 10 }, () => timed(origin, forge())));
    for (const { status, ms } of first) {
      expect(status).toBe(503);
      expect(ms).toBeLessThan(FETCH_MS + AT_ONCE_MS);
    }
    const { status, ms } = await timed(origin, forge());
    expect(status).toBe(503);
    expect(ms).toBeLessThan(AT_ONCE_MS);
    expect(keys.requests(path)).toBe(1);
  },
);
