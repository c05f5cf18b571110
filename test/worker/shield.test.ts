import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { SHIELD } from "../../src/edge-policy.ts";
import { countingBindings } from "../support/counting.ts";
import { call, newSource, refresh } from "../support/in-worker.ts";

afterEach(() => vi.restoreAllMocks());

const PERIOD_MS = SHIELD.periodSeconds * 1_000;
/** What these tests take; the local shield starts afresh with each period of the clock. */
const NEEDED_MS = 10_000;

/** Uses up what the real binding grants a source, and gives how much that was. */
async function useUp(source: string): Promise<number> {
  const left = PERIOD_MS - (Date.now() % PERIOD_MS);
  if (left < NEEDED_MS) await scheduler.wait(left);
  const take = () => env.SHIELD.limit({ key: source });
  for (let granted = 0; granted <= 2 * SHIELD.limit; ) {
    const answers = await Promise.all(Array.from({ length: 100 }, take));
    const passed = answers.filter(({ success }) => success).length;
    granted += passed;
    if (passed < answers.length) return granted;
  }
  throw new Error("the shield lets everything pass");
}

const brokenShield = (limit: RateLimit["limit"]) => ({ ...env, SHIELD: { limit } });
const FORMS = { "Content-Type": "application/x-www-form-urlencoded" };

describe("the shield before what hashes or wakes objects", () => {
  const source = newSource();
  let granted: number;

  beforeAll(async () => {
    // With a warm key ring, as everywhere.
    await call("/.well-known/jwks.json");
    granted = await useUp(source);
  }, 120_000);

  it("grants what the policy says, refuses what comes beyond it and reads no body, for that source alone", async () => {
    expect(granted).toBe(SHIELD.limit);
    const counted = countingBindings();
    const options = { source, bindings: counted.bindings };
    for (const path of ["/auth/refresh", "/auth/login", "/auth/2fa/verify", "/oauth/token"]) {
      const refused = await call(
        path,
        { unheard_of: true },
        { ...options, headers: path === "/oauth/token" ? FORMS : {} },
      );
      expect({ path, status: refused.status, code: refused.body.code }).toEqual({
        path,
        status: 429,
        code: "too_many_attempts",
      });
      expect(refused.headers.get("Retry-After")).toBe(String(SHIELD.periodSeconds));
    }
    expect(counted.names().filter((name) => name !== "gate.report")).toEqual([]);
    expect((await refresh("rt_nonsense")).status).toBe(401);
  });

  it("stands before no document and no question", async () => {
    for (const path of ["/.well-known/jwks.json", "/auth/config", "/healthz"]) {
      expect((await call(path, undefined, { source })).status).toBe(200);
    }
    expect((await call("/auth/me", undefined, { source })).status).toBe(401);
  });

  it("tells a listed page how long to wait", async () => {
    const refused = await call("/auth/refresh", {}, { source, headers: { Origin: "http://localhost" } });
    expect(refused.status).toBe(429);
    expect(refused.headers.get("Access-Control-Allow-Origin")).toBe("http://localhost");
    expect(refused.headers.get("Access-Control-Expose-Headers")).toContain("Retry-After");
  });

  it.each<[string, RateLimit["limit"]]>([
    ["fails", () => Promise.reject(new Error("no such namespace"))],
    ["never answers", () => new Promise(() => {})],
  ])("that %s lets everybody pass, and is a line in the log: the gates decide", async (_, limit) => {
    const log = vi.spyOn(console, "log");
    const answer = await refresh("rt_nonsense", { source, bindings: brokenShield(limit) });
    expect(answer.status).toBe(401);
    const lines = log.mock.calls.flat().filter((line) => String(line).includes("shield_failed"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain(source);
  });
});
