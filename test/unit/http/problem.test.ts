import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Api } from "../../../src/http/context.ts";
import { faultOf, refuse } from "../../../src/http/problem.ts";
import type { Refusal } from "../../../src/refusal.ts";

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
async function answerOf(refusal: Refusal): Promise<Response> {
  const app = new Hono<Api>();
  app.get("/path", (c) => {
    c.set("requestId", "request-1");
    return refuse(c, refusal);
  });
  return app.request("/path");
}

const attempts = { attemptsRemaining: 3 };
const wait = { retryAfterSeconds: 17 };

/** Every reason with its members, and what the contract lets the wire know of it. One that is missing does not compile. */
const TABLE: Record<Refusal["refused"], [members: object, status: number, code: string]> = {
  malformed_body: [{ errors: [] }, 400, "invalid_request"],
  wrong_content_type: [{}, 415, "unsupported_media_type"],
  body_too_large: [{}, 413, "payload_too_large"],
  unknown_route: [{}, 404, "not_found"],
  unknown_session: [{}, 404, "not_found"],
  unknown_pending_factor: [{}, 404, "not_found"],
  unknown_factor: [{}, 404, "not_found"],
  unknown_browser: [{}, 404, "not_found"],
  wrong_method: [{ allow: ["GET", "HEAD"] }, 405, "method_not_allowed"],
  wrong_host: [{}, 421, "misdirected_request"],
  plain_http: [{}, 403, "https_required"],
  unlisted_origin: [{}, 403, "forbidden_origin"],
  unknown_email: [{}, 401, "sign_in_failed"],
  wrong_password: [{}, 401, "sign_in_failed"],
  account_not_active: [{}, 401, "sign_in_failed"],
  wrong_step_up_password: [{}, 401, "sign_in_failed"],
  verdict_overtaken: [{}, 401, "sign_in_failed"],
  change_under_way: [wait, 503, "unavailable"],
  undo_open: [{}, 409, "conflict"],
  session_too_young: [{}, 403, "forbidden"],
  no_recovery: [{}, 404, "not_found"],
  nothing_to_recover: [{}, 403, "forbidden"],
  source_throttled: [wait, 429, "too_many_attempts"],
  network_throttled: [wait, 429, "too_many_attempts"],
  pair_throttled: [wait, 429, "too_many_attempts"],
  shielded: [wait, 429, "too_many_attempts"],
  second_factor_budget_spent: [wait, 429, "too_many_attempts"],
  factor_kind_closed: [wait, 429, "too_many_attempts"],
  address_closed: [wait, 429, "too_many_attempts"],
  mailbox_unproven: [{}, 403, "proof_required"],
  bot_check_failed: [{}, 403, "proof_required"],
  address_unproven: [{}, 403, "proof_required"],
  challenge_forged: [{}, 401, "invalid_challenge"],
  challenge_expired: [{}, 401, "invalid_challenge"],
  challenge_unknown: [{}, 401, "invalid_challenge"],
  challenge_exhausted: [{}, 401, "invalid_challenge"],
  challenge_overtaken: [{}, 401, "invalid_challenge"],
  enrolment_forged: [{}, 401, "invalid_challenge"],
  enrolment_unknown: [{}, 401, "invalid_challenge"],
  wrong_code: [attempts, 401, "invalid_code"],
  replayed_code: [attempts, 401, "invalid_code"],
  wrong_recovery_code: [attempts, 401, "invalid_code"],
  wrong_assertion: [{}, 401, "invalid_code"],
  sign_count_fell: [{}, 401, "invalid_code"],
  assertion_unnamed: [{}, 401, "invalid_code"],
  assertion_replayed: [{}, 401, "invalid_code"],
  user_verification_unproven: [{}, 401, "invalid_code"],
  registration_unknown: [{}, 400, "invalid_request"],
  registration_wrong: [{}, 400, "invalid_request"],
  credential_known: [{}, 400, "invalid_request"],
  access_token_missing: [{}, 401, "invalid_token"],
  access_token_invalid: [{}, 401, "invalid_token"],
  session_ended: [{}, 401, "invalid_token"],
  proof_too_old: [{ acr: "aal2", maxAgeSeconds: 300 }, 401, "insufficient_user_authentication"],
  proof_below_audience: [{ acr: "aal2" }, 401, "insufficient_user_authentication"],
  audience_unknown: [{}, 400, "invalid_request"],
  dpop_nonce_needed: [{}, 400, "use_dpop_nonce"],
  dpop_proof_wrong: [{}, 400, "invalid_dpop_proof"],
  proof_of_another_key: [{}, 400, "invalid_dpop_proof"],
  proof_expired: [{}, 400, "invalid_dpop_proof"],
  proof_replayed: [{}, 400, "invalid_dpop_proof"],
  too_many_proofs: [wait, 429, "too_many_attempts"],
  refresh_token_forged: [{}, 401, "invalid_refresh_token"],
  refresh_token_unknown: [{}, 401, "invalid_refresh_token"],
  refresh_token_expired: [{}, 401, "invalid_refresh_token"],
  refresh_token_lost: [{}, 401, "invalid_refresh_token"],
  refresh_token_reused: [{}, 401, "invalid_refresh_token"],
  session_below_policy: [{}, 401, "invalid_refresh_token"],
  weak_password: [{ reason: "too_common" }, 422, "weak_password"],
  link_forged: [{}, 400, "invalid_link"],
  link_expired: [{}, 400, "invalid_link"],
  link_used: [{}, 400, "invalid_link"],
  link_wrong_password: [{}, 400, "invalid_link"],
  proof_used: [{}, 400, "invalid_link"],
  address_taken: [{}, 409, "conflict"],
  factor_limit: [{}, 409, "conflict"],
  last_factor: [{}, 403, "forbidden"],
  second_factor_required: [{}, 403, "forbidden"],
  factor_kind_not_accepted: [{}, 403, "forbidden"],
  client_unnamed: [{}, 401, "invalid_client"],
  client_unknown: [{}, 401, "invalid_client"],
  client_secret_wrong: [{}, 401, "invalid_client"],
  client_may_not_forward: [{}, 403, "forbidden"],
  client_address_malformed: [{}, 400, "invalid_request"],
  client_address_out_of_place: [{}, 400, "invalid_request"],
  not_admin: [{}, 403, "forbidden"],
  own_account: [{}, 403, "forbidden"],
  unknown_account: [{}, 404, "not_found"],
  unknown_key: [{}, 404, "not_found"],
  account_not_active_now: [{}, 409, "conflict"],
  account_not_disabled: [{}, 409, "conflict"],
  account_changed: [{}, 409, "conflict"],
  unfit_for_admin: [{}, 409, "conflict"],
  never_rotated: [{}, 409, "conflict"],
  never_dropped: [{}, 409, "conflict"],
  too_many_keys: [{}, 409, "conflict"],
  no_hash_place: [wait, 503, "unavailable"],
  keys_behind: [{}, 503, "unavailable"],
  request_too_slow: [{}, 503, "unavailable"],
  store_unavailable: [{ store: "database" }, 503, "unavailable"],
  fault: [{}, 503, "unavailable"],
  misconfigured: [{}, 503, "unavailable"],
};
const CONTRACT = Object.entries(TABLE).map(([refused, [members, status, code]]): [Refusal, number, string] => [
  { refused, ...members } as Refusal,
  status,
  code,
]);

describe("a refusal on the wire", () => {
  it.each(CONTRACT)("%j is %i %s", async (refusal, status, code) => {
    const answer = await answerOf(refusal);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
    expect(await answer.json()).toMatchObject({
      type: `urn:sallyport:problem:${code}`,
      title: expect.any(String),
      status,
      code,
      request_id: "request-1",
    });
  });

  it("never names the precise reason, which is the log's", async () => {
    for (const [refusal] of CONTRACT) {
      const text = await (await answerOf(refusal)).text();
      // A weak password is the one whose reason the user needs; others share their name with their code.
      if (!text.includes(`"code":"${refusal.refused}"`)) expect(text).not.toContain(`"${refusal.refused}"`);
      expect(lines.at(-1)).toContain(`"reason":"${refusal.refused}"`);
    }
  });

  it.each([
    ["a first door that stays shut", ["unknown_email", "wrong_password", "account_not_active", "verdict_overtaken"]],
    ["a link that does not open", ["link_forged", "link_expired", "link_used", "link_wrong_password", "proof_used"]],
    [
      "a challenge",
      ["challenge_forged", "challenge_expired", "challenge_unknown", "challenge_exhausted", "challenge_overtaken"],
    ],
    ["a challenge, and the way to a first factor", ["challenge_forged", "enrolment_forged", "enrolment_unknown"]],
    ["a code of either kind", ["wrong_code", "replayed_code", "wrong_recovery_code"]],
    [
      "a passkey alone",
      ["wrong_assertion", "sign_count_fell", "assertion_unnamed", "assertion_replayed", "user_verification_unproven"],
    ],
    ["a passkey that is not registered", ["registration_unknown", "registration_wrong", "credential_known"]],
    ["a change that the account cannot take now", ["undo_open", "address_taken", "factor_limit"]],
    ["a budget that is spent", ["second_factor_budget_spent", "factor_kind_closed", "pair_throttled"]],
    [
      "a refresh token",
      [
        "refresh_token_forged",
        "refresh_token_unknown",
        "refresh_token_lost",
        "refresh_token_reused",
        "session_below_policy",
      ],
    ],
  ])("is the same in every byte for %s", async (_, reasons) => {
    const refusals = CONTRACT.map(([refusal]) => refusal).filter(({ refused }) => reasons.includes(refused));
    const answers = await Promise.all(refusals.map(answerOf));
    const seen = await Promise.all(answers.map(async (it) => JSON.stringify([...it.headers]) + (await it.text())));
    expect(seen).toHaveLength(reasons.length);
    expect(new Set(seen).size).toBe(1);
  });

  it("says no more of an assertion in a challenge than of a code", async () => {
    const seen = (refused: "wrong_assertion" | "sign_count_fell" | "wrong_code") =>
      answerOf({ refused, ...attempts }).then((answer) => answer.text());
    expect(new Set([await seen("wrong_assertion"), await seen("sign_count_fell"), await seen("wrong_code")]).size).toBe(
      1,
    );
  });

  it("carries the members and headers that its code promises", async () => {
    const body = async (refusal: Refusal) => (await answerOf(refusal)).json();
    const header = async (refusal: Refusal, name: string) => (await answerOf(refusal)).headers.get(name);
    const errors = [{ path: "email", message: "must be an email address" }];
    expect(await body({ refused: "malformed_body", errors })).toMatchObject({ errors });
    expect(await body({ refused: "wrong_code", ...attempts })).toMatchObject({ attempts_remaining: 3 });
    expect(await body({ refused: "wrong_assertion", ...attempts })).toMatchObject({ attempts_remaining: 3 });
    expect(await body({ refused: "wrong_assertion" })).not.toHaveProperty("attempts_remaining");
    expect(await body({ refused: "mailbox_unproven" })).toMatchObject({ methods: ["mail_link"] });
    expect(await body({ refused: "registration_wrong" })).toMatchObject({ errors: [{ path: "response" }] });
    expect(await body({ refused: "weak_password", reason: "too_short" })).toMatchObject({ reason: "too_short" });
    expect(await body({ refused: "store_unavailable", store: "objects" })).toMatchObject({ store: "objects" });
    expect(await header({ refused: "wrong_method", allow: ["GET", "HEAD"] }, "Allow")).toBe("GET, HEAD");
    expect(await header({ refused: "pair_throttled", ...wait }, "Retry-After")).toBe("17");
    expect(await header({ refused: "pair_throttled", retryAfterSeconds: 0 }, "Retry-After")).toBe("1");
    expect(await header({ refused: "no_hash_place", ...wait }, "Retry-After")).toBe("17");
    expect(await header({ refused: "change_under_way", ...wait }, "Retry-After")).toBe("17");
    expect(await header({ refused: "change_under_way", retryAfterSeconds: -1 }, "Retry-After")).toBe("1");
    for (const refused of ["fault", "request_too_slow"] as const) {
      expect(await header({ refused }, "Retry-After")).toMatch(/^[1-9]\d*$/);
    }
    expect(await header({ refused: "session_ended" }, "WWW-Authenticate")).toBe('Bearer error="invalid_token"');
    expect(await header({ refused: "proof_too_old", acr: "aal1", maxAgeSeconds: 300 }, "WWW-Authenticate")).toBe(
      'Bearer error="insufficient_user_authentication", acr_values="aal1", max_age=300',
    );
  });
});

describe("what the log gets of a refusal", () => {
  it("is the route, and neither the path nor the query, where a token may stand", async () => {
    const app = new Hono<Api>();
    app.get("/sessions/:id", (c) => refuse(c, { refused: "unknown_session" }));
    await app.request("/sessions/hidden?token=hidden");
    expect(lines.join()).toContain("/sessions/:id");
    expect(lines.join()).not.toContain("hidden");
  });

  it("has the stack of a fault, and the client has not", async () => {
    const answer = await answerOf(faultOf(new Error("the database said: no")));
    expect(await answer.text()).not.toMatch(/database|problem\.test/);
    expect(lines[0]).toContain("the database said: no");
    expect(lines[0]).toContain("stack");
    faultOf("thrown text");
    expect(lines.at(-1)).toContain("thrown text");
  });
});
