import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Api } from "../../../src/http/context.ts";
import { refuseOAuth } from "../../../src/http/oauth-problem.ts";
import type { OAuthRefusal, Refusal } from "../../../src/refusal.ts";

let lines: string[];

beforeEach(() => {
  lines = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => {
    lines.push(line);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Answers a refusal through a real app, as a route would. */
async function answerOf(refusal: OAuthRefusal | Refusal): Promise<Response> {
  const app = new Hono<Api>();
  app.post("/oauth/token", (c) => {
    c.set("requestId", "request-1");
    return refuseOAuth(c, refusal);
  });
  return app.request("/oauth/token", { method: "POST" });
}

const named = { parameter: "scope" };

/** Every reason with its members, and what the contract lets the wire know of it. One that is missing does not compile. */
const TABLE: Record<OAuthRefusal["refused"], [members: object, status: number, error: string]> = {
  client_unnamed: [{}, 401, "invalid_client"],
  client_unknown: [{}, 401, "invalid_client"],
  client_secret_wrong: [{}, 401, "invalid_client"],
  client_named_twice: [{}, 400, "invalid_request"],
  form_malformed: [{}, 400, "invalid_request"],
  parameter_missing: [named, 400, "invalid_request"],
  parameter_unsupported: [named, 400, "invalid_request"],
  grant_type_unsupported: [{}, 400, "unsupported_grant_type"],
  subject_token_invalid: [{}, 400, "invalid_request"],
  subject_session_ended: [{}, 400, "invalid_request"],
  subject_token_bound: [{}, 400, "invalid_request"],
  actor_chain_full: [{}, 400, "invalid_request"],
  target_unlisted: [{}, 400, "invalid_target"],
  target_needs_more: [{}, 400, "invalid_target"],
};
const OWN = Object.entries(TABLE).map(([refused, [members, ...rest]]) => [{ refused, ...members }, ...rest] as const);

/** Reasons of other routes that are told in the words of OAuth. */
const ALSO: [Refusal, number, string][] = [
  [{ refused: "fault" }, 503, "temporarily_unavailable"],
  [{ refused: "store_unavailable", store: "objects" }, 503, "temporarily_unavailable"],
  [{ refused: "too_many_proofs", retryAfterSeconds: 30 }, 503, "temporarily_unavailable"],
  [{ refused: "dpop_nonce_needed" }, 400, "use_dpop_nonce"],
  [{ refused: "dpop_proof_wrong" }, 400, "invalid_dpop_proof"],
  [{ refused: "proof_expired", isBearer: true }, 400, "invalid_dpop_proof"],
  [{ refused: "proof_replayed", isBearer: true }, 400, "invalid_dpop_proof"],
];

describe("a refusal of an OAuth endpoint", () => {
  it.each([...OWN, ...ALSO] as [OAuthRefusal | Refusal, number, string][])(
    "%j is %i %s",
    async (refusal, status, error) => {
      const answer = await answerOf(refusal);
      const body = (await answer.json()) as Record<string, string>;
      expect({ status: answer.status, ...body }).toEqual({ status, error, error_description: expect.any(String) });
      expect(body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
      expect(answer.headers.get("WWW-Authenticate")).toBe(status === 401 ? 'Basic realm="sallyport"' : null);
      expect(answer.headers.get("Retry-After")).toEqual(status === 503 ? expect.stringMatching(/^[1-9]\d*$/) : null);
      expect(answer.headers.get("Content-Type")).toMatch(/^application\/json\b/);
    },
  );

  it("never tells the precise reason, which is the log's, nor which of two reasons it was", async () => {
    const texts = async (...refused: OAuthRefusal["refused"][]) =>
      new Set(await Promise.all(refused.map(async (one) => (await answerOf({ refused: one } as OAuthRefusal)).text())));
    expect((await texts("client_unnamed", "client_unknown", "client_secret_wrong")).size).toBe(1);
    expect((await texts("subject_token_invalid", "subject_session_ended")).size).toBe(1);
    const told = {
      event: "refused",
      reason: "subject_session_ended",
      status: 400,
      method: "POST",
      route: "/oauth/token",
    };
    expect(lines.map((line) => JSON.parse(line))).toContainEqual({ ...told, requestId: "request-1" });
    expect(lines).toHaveLength(5);
  });

  it("that every other address has as well is told as there", async () => {
    const answer = await answerOf({ refused: "wrong_content_type" });
    expect(answer.status).toBe(415);
    expect(await answer.json()).toMatchObject({ code: "unsupported_media_type", request_id: "request-1" });
    expect(lines).toHaveLength(1);
  });

  it("names the parameter that it is about", async () => {
    expect(await (await answerOf({ refused: "parameter_missing", parameter: "audience" })).json()).toMatchObject({
      error_description: "a parameter is missing: audience",
    });
  });
});
