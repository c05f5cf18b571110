import { env } from "cloudflare:workers";
import { createHmac, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  ALERT_MAIL_WINDOW_MS,
  ALERT_MAILS_PER_WINDOW,
  DELIVERIES_AT_ONCE,
  DELIVERY_WAITS_MS,
  WEBHOOK_TIMEOUT_MS,
} from "../../src/event-policy.ts";
import { carryOut } from "../../src/flows/carry-out.ts";
import type { DeliveredMessage } from "../../src/mail/mailbox.ts";
import { call } from "../support/in-worker.ts";
import { cronService, cronVisit } from "./support/cron.ts";
import { alerts, collector, forgetAll, HOUR, look, MINUTE, START } from "./support/detection.ts";

const URL_OF_HOOK = "https://alerts.example/hook?key=k1";
const SECRET = randomBytes(32);
const hooked = { ...env, ALERT_WEBHOOK_URL: URL_OF_HOOK, ALERT_WEBHOOK_SECRET: `whsec_${SECRET.toString("base64")}` };

beforeEach(forgetAll);
afterEach(() => vi.restoreAllMocks());

interface Posted {
  request: Request;
  body: string;
}

/** Answers every request of the service with what `answer` makes of it, and keeps the requests. */
function receiver(
  answer: (request: Request) => Promise<Response> | Response = () => new Response(null, { status: 204 }),
) {
  const posted: Posted[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input as string, init as RequestInit);
    posted.push({ request, body: await request.clone().text() });
    return answer(request);
  });
  return posted;
}

type Severity = "low" | "medium" | "high";
/** A minute in which a pattern is found. */
const find = (bindings: object, now: number, severity: Severity = "low", subject = "source:192.0.2.0/24") =>
  look([collector("password_spraying", () => [{ subject, severity, lastAt: now }])], now, bindings);
const carry = (bindings: object, now: number) => carryOut(cronService(bindings), cronVisit(now));
const waiting = () => env.EVENTS.prepare("SELECT count(*) AS n FROM deliveries").first<number>("n");
const linesOf = (spy: { mock: { calls: unknown[][] } }, event: string) =>
  spy.mock.calls.flat().filter((line) => String(line).includes(`"event":"${event}"`));

/** As a receiver checks it, by another implementation than ours (Standard Webhooks 1.0). */
function isSigned({ request: { headers }, body }: Posted, secret: Buffer): boolean {
  const text = `${headers.get("webhook-id")}.${headers.get("webhook-timestamp")}.${body}`;
  const mac = createHmac("sha256", secret).update(text).digest("base64");
  return headers.get("webhook-signature") === `v1,${mac}`;
}

describe("the webhook", () => {
  it("gets one signed post of an alert that was opened, one when its severity rises, and none of its growth", async () => {
    const posted = receiver();
    for (const [minute, severity] of (["low", "low", "medium", "medium", "low"] as const).entries()) {
      await find(hooked, START + minute * MINUTE, severity);
      await carry(hooked, START + minute * MINUTE);
    }
    expect(posted.map(({ body }) => (JSON.parse(body) as { type: string }).type)).toEqual([
      "alert.opened",
      "alert.raised",
    ]);
    for (const one of posted) {
      expect([one.request.url, one.request.method, one.request.redirect]).toEqual([URL_OF_HOOK, "POST", "manual"]);
      expect(one.request.headers.get("content-type")).toBe("application/json");
      expect(isSigned(one, SECRET)).toBe(true);
      expect(isSigned(one, randomBytes(32))).toBe(false);
      expect(isSigned({ ...one, body: `${one.body} ` }, SECRET)).toBe(false);
    }
    const [opened] = posted;
    const [alert] = await alerts();
    expect(JSON.parse(opened?.body ?? "")).toEqual({
      type: "alert.opened",
      timestamp: new Date(START).toISOString(),
      data: {
        ...{ id: alert?.id, pattern: "password_spraying", subject: "source:192.0.2.0/24", severity: "low" },
        ...{ tries: 1, addresses: 1, sources: 1, opened_at: new Date(START).toISOString() },
        ...{ first_at: new Date(START).toISOString(), last_at: new Date(START).toISOString() },
      },
    });
    expect(opened?.request.headers.get("webhook-timestamp")).toBe(String(START / 1000));
    expect(await waiting()).toBe(0);
  });

  it("gets the same id and the same body again where it did not take them, signed anew", async () => {
    const answers = [503, 302, 404, 200];
    const posted = receiver(() => {
      const status = answers.shift() ?? 200;
      return new Response(null, {
        status,
        ...(status === 302 ? { headers: { Location: "https://elsewhere.example/" } } : {}),
      });
    });
    await find(hooked, START);
    let now = START;
    for (const wait of [0, ...DELIVERY_WAITS_MS.slice(0, 3)]) {
      now += wait;
      await carry(hooked, now - 1);
      await carry(hooked, now);
    }
    expect(posted.map(({ request }) => request.url)).toEqual(Array(4).fill(URL_OF_HOOK));
    expect(new Set(posted.map(({ request }) => request.headers.get("webhook-id"))).size).toBe(1);
    expect(new Set(posted.map(({ body }) => body)).size).toBe(1);
    expect(new Set(posted.map(({ request }) => request.headers.get("webhook-timestamp"))).size).toBe(4);
    for (const one of posted) expect(isSigned(one, SECRET)).toBe(true);
    await carry(hooked, now + 24 * HOUR);
    expect(posted).toHaveLength(4);
  });

  it("is given up after hours, with a line in the log that holds neither its address nor its secret", async () => {
    const posted = receiver(() => Promise.reject(new TypeError(`cannot load ${URL_OF_HOOK}`)));
    const log = vi.spyOn(console, "log");
    await find(hooked, START);
    for (let now = START; now < START + 30 * HOUR; now += 5 * MINUTE) await carry(hooked, now);
    expect(posted).toHaveLength(DELIVERY_WAITS_MS.length + 1);
    expect(await waiting()).toBe(0);
    expect(linesOf(log, "alert_given_up")).toHaveLength(1);
    for (const word of ["alerts.example", "k1", SECRET.toString("base64")])
      expect(linesOf(log, "alert_").join()).not.toContain(word);
  });

  it("that is slow is not tried by the next minute while this one still waits for it", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: START });
    const posted = receiver(() => {
      vi.setSystemTime(Date.now() + WEBHOOK_TIMEOUT_MS);
      return new Response(null, { status: 504 });
    });
    for (let one = 0; one <= DELIVERIES_AT_ONCE; one += 1) await find(hooked, START, "low", `source:192.0.${one}.0/24`);
    await carry(hooked, START);
    vi.useRealTimers();
    const triedAt = START + DELIVERIES_AT_ONCE * WEBHOOK_TIMEOUT_MS;
    const { results } = await env.EVENTS.prepare("SELECT due_at FROM deliveries ORDER BY due_at").all();
    expect(results.at(-1)).toEqual({ due_at: triedAt + DELIVERY_WAITS_MS[0] });
    expect(posted.at(-1)?.request.headers.get("webhook-timestamp")).toBe(String(triedAt / 1000));
  });

  it("that is slow holds nothing up for longer than its time", async () => {
    const aborted = (request: Request) =>
      new Promise<Response>((_, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason));
      });
    receiver((request) => (request.url.includes("hook") ? aborted(request) : new Response()));
    await find(hooked, START);
    await find(hooked, START + 1, "low", "source:198.51.100.0/24");
    const started = Date.now();
    await carry(hooked, START + 1);
    expect(Date.now() - started).toBeLessThan(WEBHOOK_TIMEOUT_MS + 5_000);
    expect(await waiting()).toBe(2);
  });

  it("gets one post of crons at once, and the same one again after a crash in between", async () => {
    const posted = receiver();
    await find(hooked, START);
    await Promise.all(Array.from({ length: 5 }, () => carry(hooked, START)));
    expect(posted).toHaveLength(1);
    // Posted, and then nobody was left to note it.
    await find(hooked, START + MINUTE, "high");
    const prepare = (query: string) => {
      if (query.startsWith("DELETE")) throw new Error("cut off");
      return env.EVENTS.prepare(query);
    };
    await carry({ ...hooked, EVENTS: { prepare, batch: env.EVENTS.batch.bind(env.EVENTS) } }, START + MINUTE);
    await carry(hooked, START + 2 * MINUTE);
    const ids = posted.slice(1).map(({ request }) => request.headers.get("webhook-id"));
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
    expect(await waiting()).toBe(0);
  });

  it("gets nothing where it is not set, nor once it is taken away", async () => {
    const posted = receiver();
    await find(env, START);
    expect(await waiting()).toBe(0);
    await find(hooked, START, "high");
    expect(await waiting()).toBe(1);
    await carry(env, START);
    expect(await waiting()).toBe(0);
    expect(posted).toEqual([]);
  });
});

describe("mail to operators", () => {
  const mailed = { ...env, ALERT_MAIL: "ops@example.com, night@example.com" };
  const mailsTo = async (to: string) => (await call(`/dev/mailbox?to=${to}`)).body.messages as DeliveredMessage[];
  const both = ["ops@example.com", "night@example.com"];
  const counts = () => Promise.all(both.map(async (to) => (await mailsTo(to)).length));
  let before: number[];
  beforeEach(async () => {
    before = await counts();
  });
  const since = async () => (await counts()).map((count, index) => count - (before[index] ?? 0));
  const minute = async (now: number, severity: Severity = "low", subject?: string, bindings: object = mailed) => {
    await find(bindings, now, severity, subject);
    await carry(bindings, now);
  };

  it("tells each of them of an alert that was opened and when its severity rises, and of no growth", async () => {
    await minute(START);
    expect(await since()).toEqual([1, 1]);
    await minute(START + MINUTE);
    await minute(START + 2 * MINUTE, "high");
    await minute(START + 3 * MINUTE, "medium");
    expect(await since()).toEqual([2, 2]);
    const [raised, opened] = await mailsTo("ops@example.com");
    expect(opened?.subject).toBe("Sallyport: password spraying (low)");
    expect(raised?.subject).toBe("Sallyport: password spraying, now high");
    expect(opened?.text).toContain("from 192.0.2.0/24, between 2026-06-03 09:30 UTC and 2026-06-03 09:30 UTC; 1 tries");
    expect(await waiting()).toBe(0);
  });

  it("is so many in an hour, and one that sums up the rest when it is over", async () => {
    for (let index = 0; index < ALERT_MAILS_PER_WINDOW + 7; index += 1)
      await minute(START + index, "low", `source:${index}`);
    expect(await since()).toEqual([ALERT_MAILS_PER_WINDOW, ALERT_MAILS_PER_WINDOW]);
    await look([], START + ALERT_MAIL_WINDOW_MS - 1, mailed);
    expect(await waiting()).toBe(0);
    await Promise.all([1, 2, 3].map(() => look([], START + ALERT_MAIL_WINDOW_MS, mailed)));
    await carry(mailed, START + ALERT_MAIL_WINDOW_MS);
    expect(await since()).toEqual([ALERT_MAILS_PER_WINDOW + 1, ALERT_MAILS_PER_WINDOW + 1]);
    const [summary] = await mailsTo("night@example.com");
    expect(summary?.subject).toBe("7 alerts at Sallyport");
    for (let index = ALERT_MAILS_PER_WINDOW; index < ALERT_MAILS_PER_WINDOW + 7; index += 1)
      expect(summary?.text).toContain(`from ${index},`);
    await look([], START + 3 * ALERT_MAIL_WINDOW_MS, mailed);
    expect(await waiting()).toBe(0);
  });

  it("goes again under the same key to whom it did not reach, and to nobody twice", async () => {
    const bindings = {
      ...mailed,
      MAIL_TRANSPORT: "http",
      MAIL_FROM: "a@example.com",
      MAIL_URL: "https://m.example/",
      MAIL_TOKEN: "t",
    };
    let isDown = true;
    const posted = receiver(async (request) => {
      const { to } = (await request.json()) as { to: string };
      return new Response(null, { status: isDown && to.startsWith("night") ? 503 : 202 });
    });
    const keysTo = (name: string) =>
      posted
        .filter(({ body }) => body.includes(`"to":"${name}@`))
        .map(({ request }) => request.headers.get("idempotency-key"));
    await minute(START, "low", "service", bindings);
    expect(keysTo("ops")).toHaveLength(1);
    const tries = keysTo("night").length;
    expect(tries).toBeGreaterThan(0);
    isDown = false;
    await carry(bindings, START + DELIVERY_WAITS_MS[0]);
    expect(keysTo("ops")).toHaveLength(1);
    expect(keysTo("night")).toHaveLength(tries + 1);
    expect(new Set(keysTo("night")).size).toBe(1);
    expect(keysTo("night")[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.parse(posted[0]?.body ?? "")).not.toHaveProperty("idempotencyKey");
    expect(await waiting()).toBe(0);
  });

  it("goes to nobody who is not named any more, and to nobody where nobody is named", async () => {
    await find(mailed, START);
    await carry({ ...env, ALERT_MAIL: "ops@example.com" }, START);
    expect(await since()).toEqual([1, 0]);
    expect(await waiting()).toBe(0);
  });
});
