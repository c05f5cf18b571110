import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AUDIENCE, ask, claims, forge, ISSUER, publicJwk, seconds } from "./example-forge.ts";
import { EXAMPLES, type Example, stopExamples } from "./example-services.ts";
import { MORE, TEN, twin } from "./example-tokens.ts";

// The same requests to every example. The issuer is this file: its key set, and tokens that may be wrong in any way while
// their signature is right.

/** A machine with two cores that has much else to do builds a Worker in a quarter of a minute. */
const START_MS = 120_000;
/** How soon an example asks for keys again after it got none. */
const RETRY_MS = 5_500;

const RUNNABLE = EXAMPLES.filter(({ missing }) => missing === undefined);

interface Running {
  origin: string;
  /** What it answered to a good token while there were no keys. */
  withoutKeys: number;
}

/** How often each example has asked for the keys. */
const keyRequests = new Map<string, number>();
let keysAreThere = false;
let keySetServer: Server;
let running: Map<string, Promise<Running>>;

const me = (origin: string, token: string) => ask(`${origin}/me`, ["Authorization", `Bearer ${token}`]);

/** Its answer must be waited for before anything is asked of it. */
function of({ name }: Example): Promise<Running> {
  return running.get(name) ?? Promise.reject(new Error(`${name} was not started`));
}

async function start(example: Example, keySets: string): Promise<Running> {
  const settings = { ISSUER, AUDIENCE, JWKS_URL: `${keySets}/${example.name}` };
  const origin = await example.start(settings);
  return { origin, withoutKeys: (await me(origin, forge())).status };
}

beforeAll(async () => {
  keySetServer = createServer((incoming, answer) => {
    const name = incoming.url?.slice(1) ?? "";
    keyRequests.set(name, (keyRequests.get(name) ?? 0) + 1);
    answer.statusCode = keysAreThere ? 200 : 503;
    answer.setHeader("Content-Type", "application/json").end(JSON.stringify(keysAreThere ? { keys: [publicJwk] } : {}));
  });
  await new Promise<void>((resolve) => keySetServer.listen(0, "127.0.0.1", resolve));
  const keySets = `http://127.0.0.1:${(keySetServer.address() as AddressInfo).port}`;
  running = new Map(RUNNABLE.map((example) => [example.name, start(example, keySets)]));
  await Promise.allSettled(running.values());
  keysAreThere = true;
  await sleep(RETRY_MS);
}, START_MS);

afterAll(async () => {
  await stopExamples();
  keySetServer.close();
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
    const before = keyRequests.get(example.name) ?? 0;
    const unknown = Array.from({ length: 30 }, (_, n) => forge({ header: { kid: `${"x".repeat(41)}${n + 10}` } }));
    const answers = await Promise.all(unknown.map((token) => me(origin, token)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    expect((keyRequests.get(example.name) ?? 0) - before).toBeLessThanOrEqual(1);
  });
});

test("each takes a token no longer once it has expired, even one that it has taken before", async () => {
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
