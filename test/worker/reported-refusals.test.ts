import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { REPORT_WINDOW_MS, REPORTS_IN_WINDOW } from "../../src/edge-policy.ts";
import { clientNetwork } from "../../src/gate/network.ts";
import { sourceGate } from "../../src/gate/subjects.ts";
import { countingBindings } from "../support/counting.ts";
import { accountOf, type Call, call, logIn, newPerson, newSource, refresh, ring, send } from "../support/in-worker.ts";
import { DAY } from "./support/moved-clock.ts";
import { ask } from "./support/oauth.ts";

/** The events of a source's group, once its gate has shipped them. */
async function eventsOf(source: string) {
  const { network } = clientNetwork(source);
  const { shard } = await sourceGate(await ring(), clientNetwork(source));
  await runDurableObjectAlarm(env.GATES.getByName(shard));
  const rows = await env.EVENTS.prepare("SELECT kind, detail FROM events WHERE source = ? ORDER BY seq")
    .bind(network)
    .all<{ kind: string; detail: string }>();
  return rows.results.map(({ kind, detail }) => ({ ...(JSON.parse(detail) as { reason?: string }), kind }));
}

const FORGED = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA";
const PAGE = { Origin: "https://evil.example" };

describe("a refusal that no object has decided is an event of its source", () => {
  const cases: [name: string, kind: string, reason: string, refused: (options: Call) => Promise<unknown>][] = [
    [
      "a forged access token",
      "authz_fail",
      "access_token_invalid",
      (options) => call("/auth/me", undefined, { ...options, bearer: FORGED }),
    ],
    ["a forged refresh token", "authz_fail", "refresh_token_forged", (options) => refresh("rt_nonsense", options)],
    [
      "a forged challenge",
      "authz_fail",
      "challenge_forged",
      (options) => call("/auth/2fa/verify", { challenge_token: FORGED, method: "totp", code: "123456" }, options),
    ],
    [
      "a forged link",
      "authz_fail",
      "link_forged",
      (options) => call("/auth/password/reset", { token: "AAAA", new_password: "an ordinary long password" }, options),
    ],
    [
      "a page of somebody else",
      "malicious_cors",
      "unlisted_origin",
      (options) => call("/auth/refresh", {}, { ...options, headers: PAGE }),
    ],
    [
      "a malformed body",
      "input_validation_fail",
      "malformed_body",
      (options) => call("/auth/login", { email: 1 }, options),
    ],
    [
      "a client without its secret",
      "authz_fail",
      "client_unnamed",
      (options) => call("/auth/login", {}, { ...options, headers: { "Sallyport-Client-Address": "203.0.113.9" } }),
    ],
  ];

  it.each(cases)("%s", async (_, kind, reason, refused) => {
    const source = newSource();
    await refused({ source });
    const events = await eventsOf(source);
    expect(events.filter((event) => event.reason === reason)).toEqual([
      expect.objectContaining({ kind, reason, request: expect.any(String) }),
    ]);
    expect(JSON.stringify(events)).not.toMatch(/nonsense|eyJ|AAAA|203\.0\.113/);
  });

  it("a client's wrong secret at an OAuth endpoint", async () => {
    const source = newSource();
    const headers = { "CF-Connecting-IP": source };
    expect((await ask("introspect", { token: "x" }, { as: "orders", secret: "hidden", headers })).status).toBe(401);
    expect(await eventsOf(source)).toEqual([
      expect.objectContaining({ kind: "authz_fail", reason: "client_secret_wrong" }),
    ]);
  });

  it("and what people meet every day is none: no token at all, a short password, an unknown route", async () => {
    const source = newSource();
    await call("/auth/me", undefined, { source });
    await call("/auth/nowhere", undefined, { source });
    await call("/auth/register", { email: "ada@example.com", password: "short" }, { source });
    expect(await eventsOf(source)).toEqual([]);
  });

  it("nor is what an object records: a wrong password is one event, and not two", async () => {
    const [person, source] = [await newPerson(), newSource()];
    await logIn({ ...person, password: "not the right password" }, { source });
    expect((await eventsOf(source)).filter(({ reason }) => reason === "wrong_password").length).toBeLessThanOrEqual(1);
  });

  it("nor the token of a session that has run out, which its account tells of", async () => {
    const [person, source] = [await newPerson(), newSource()];
    const { body } = await logIn(person);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 20 * DAY });
    try {
      expect((await refresh(body.refresh_token, { source })).status).toBe(401);
      await runDurableObjectAlarm(accountOf(person));
      const events = await eventsOf(source);
      expect(events.map(({ kind, reason }) => [kind, reason])).toEqual([
        ["session_use_after_expire", "refresh_token_expired"],
      ]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a flood of junk", () => {
  it("is no flood of calls: of hundreds of requests a few a second reach the gate, and it hears of all", async () => {
    await call("/.well-known/jwks.json");
    const counted = countingBindings();
    const source = newSource();
    const headers = { "CF-Connecting-IP": source, Authorization: `Bearer ${FORGED}` };
    const junk = () => send(new Request("http://localhost/auth/me", { headers }), counted.bindings);
    const started = Date.now();
    await Promise.all(Array.from({ length: 300 }, junk));
    const seconds = Math.ceil((Date.now() - started) / REPORT_WINDOW_MS);
    expect(new Set(counted.names())).toEqual(new Set(["gate.report"]));
    expect(counted.names().length).toBeLessThanOrEqual(seconds * (REPORTS_IN_WINDOW + 1));
    const [first] = await eventsOf(source);
    expect(first).toMatchObject({ kind: "authz_fail", reason: "access_token_invalid" });
  });

  it("keeps no answer waiting: a report goes out behind it", async () => {
    await call("/.well-known/jwks.json");
    const counted = countingBindings(["gate.report"]);
    let finish = async () => {};
    const keepTail = (tail: () => Promise<void>) => {
      finish = tail;
    };
    const answer = await refresh("rt_nonsense", { bindings: counted.bindings, keepTail });
    expect(answer.status).toBe(401);
    expect(counted.sequential()).toBe(0);
    counted.release();
    await finish();
    expect(counted.names()).toEqual(["gate.report"]);
  });
});
