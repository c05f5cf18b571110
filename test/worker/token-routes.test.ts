import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { app } from "../../src/app.ts";
import {
  type Answer,
  addAuthenticator,
  answer,
  call,
  claimsOf,
  logIn,
  recover,
  refresh,
} from "../support/in-worker.ts";
import { HOLDERS, type Holder, type Holding } from "./support/holders.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { addPasskey, sendAssertion, signInByPasskey, syncedPasskey } from "./support/passkeys.ts";

useMovedClock();

/** The routes whose answer can hold a token. What each of them gives to whom is the table below. */
const CAN_END_IN_TOKENS = [
  "POST /auth/login",
  "POST /auth/2fa/verify",
  "POST /auth/passkey/verify",
  "POST /auth/refresh",
  "POST /auth/step-up",
  "POST /auth/2fa/totp/confirm",
  "POST /auth/2fa/passkeys",
  "POST /auth/password/change",
] as const;
type TokenRoute = (typeof CAN_END_IN_TOKENS)[number];

const CANNOT = [
  "ALL /*",
  "ALL /auth/*",
  "GET /.well-known/jwks.json",
  "GET /.well-known/oauth-authorization-server",
  "GET /.well-known/revoked-sessions",
  "GET /.well-known/webauthn",
  "GET /healthz",
  "GET /readyz",
  "GET /dev/mailbox",
  "GET /auth/config",
  "GET /auth/me",
  "GET /auth/2fa",
  "GET /auth/sessions",
  "GET /auth/browsers",
  "DELETE /auth/sessions",
  "DELETE /auth/sessions/:id",
  "DELETE /auth/browsers/:id",
  "DELETE /auth/2fa/factors/:id",
  "PATCH /auth/2fa/factors/:id",
  "POST /auth/register",
  "POST /auth/email/verify",
  "POST /auth/invitation/accept",
  "POST /auth/password/forgot",
  "POST /auth/password/reset",
  "POST /auth/email/change",
  "POST /auth/email/undo",
  "POST /auth/freeze",
  "POST /auth/recovery/start",
  "POST /auth/recovery/confirm",
  "POST /auth/recovery/cancel",
  "POST /auth/recovery/finish",
  "POST /auth/deletion/cancel",
  "DELETE /auth/me",
  "GET /auth/export",
  "POST /auth/proof",
  "POST /auth/logout",
  "POST /auth/passkey/options",
  "POST /auth/2fa/passkey/options",
  "POST /auth/2fa/passkeys/options",
  "POST /auth/2fa/totp/enroll",
  "POST /auth/2fa/turn-off",
  "POST /auth/2fa/recovery-codes",
  "GET /auth/activity",
  "ALL /admin/api/*",
  "GET /admin/api/events",
  "GET /admin/api/events/stream",
  "GET /admin/api/events/export",
  "GET /admin/api/alerts",
  "GET /admin/api/stats",
  "GET /admin/api/users",
  "GET /admin/api/keys",
  "POST /admin/api/keys",
  "POST /admin/api/users/invite",
  "POST /admin/api/users/:id/disable",
  "POST /admin/api/users/:id/enable",
  "POST /admin/api/users/:id/sign-out",
  "POST /admin/api/users/:id/unlock",
  "POST /admin/api/users/:id/reset-factors",
  "POST /admin/api/users/:id/roles",
  "ALL /oauth/*",
  "POST /oauth/introspect",
  "POST /oauth/revoke",
];

/** Gives one token for another, and to back ends alone: what it demands is in the tests of the exchange. */
const FOR_CLIENTS = ["POST /oauth/token"];

it("every route is listed: a new one has to say whether it can end in tokens", () => {
  const routes = new Set(app.routes.map(({ method, path }) => `${method} ${path}`));
  expect([...routes].sort()).toEqual([...CAN_END_IN_TOKENS, ...CANNOT, ...FOR_CLIENTS].sort());
});

const POLICIES = ["optional", "required", "passkey"] as const;
type Policy = (typeof POLICIES)[number];

/** What an answer gives, in a word. One that gives no token holds none, and sets no cookie. */
function outcomeOf({ status, body, text, headers }: Answer): string {
  const methods = (body.methods as string[] | undefined)?.join(" ");
  if (body.access_token !== undefined) {
    return `${body.refresh_token === undefined ? "access token" : "session"} ${claimsOf(body.access_token).acr}`;
  }
  expect(text).not.toMatch(/"(access|refresh)_token":|"rt_/);
  expect(headers.get("Set-Cookie")).toBeNull();
  if (body.status === "challenge") return `challenge: ${methods}`;
  if (body.status === "enrolment_required") return `enrolment: ${methods}`;
  return `${status} ${body.code ?? body.status}`;
}

/** The second door: everything wrong first, none of which may open anything, and then what the account really has. */
async function throughSecondDoor(challenge: unknown, { key, right }: Holder, bindings: object): Promise<Answer> {
  const wrong = [
    await answer(challenge, "000000", { bindings }),
    await recover(challenge, "0".repeat(24), { bindings }),
    await sendAssertion(challenge, await key.assert({ challenge: "A".repeat(43) }), { bindings }),
  ] as const;
  for (const one of wrong) expect(outcomeOf(one)).toBe(right ? "401 invalid_code" : "401 invalid_challenge");
  return right ? right(challenge, bindings) : wrong[0];
}

async function throughTotp(bearer: unknown, bindings: object): Promise<string> {
  const enrolled = await call("/auth/2fa/totp/enroll", {}, { bearer, bindings });
  if (enrolled.status !== 201) return outcomeOf(enrolled);
  return outcomeOf((await addAuthenticator(bearer, { bindings })).confirmed);
}

async function throughNewPasskey(bearer: unknown, bindings: object): Promise<string> {
  const asked = await call("/auth/2fa/passkeys/options", {}, { bearer, bindings });
  if (asked.status !== 200) return outcomeOf(asked);
  return outcomeOf(await addPasskey(bearer, syncedPasskey(), { bindings }));
}

/** Takes every route that can end in tokens, with everything the account has. */
async function takeEveryRoute(holding: Holding, policy: Policy): Promise<Record<TokenRoute, string>> {
  const holder: Holder = await HOLDERS[holding]();
  const { person, session, key } = holder;
  const bindings = { ...env, SECOND_FACTOR: policy };
  pass(SECOND);
  const password = { password: person.password };
  const stepUp = await call("/auth/step-up", password, { bearer: session.access_token, bindings });
  const refreshed = await refresh(session.refresh_token, { bindings });
  const first = await logIn(person, { bindings });
  // Where there is no challenge, what there is instead must not pass for one.
  const instead = first.body.enrolment_token ?? first.body.access_token;
  const second = await throughSecondDoor(first.body.challenge_token ?? instead, holder, bindings);
  const alone = await signInByPasskey(key, { bindings });
  const change = { current_password: person.password, new_password: "quite another passphrase 7" };
  const ownBearer = refreshed.body.access_token ?? session.access_token;
  const changed = await call("/auth/password/change", change, { bearer: ownBearer, bindings });
  const enrolment = first.body.enrolment_token ?? second.body.enrolment_token;
  const bearer = enrolment ?? changed.body.access_token ?? refreshed.body.access_token;
  // The first of the two that succeeds uses an enrolment token up, so each comes first for some accounts.
  const passkeyFirst = holding === "a passkey never registered" && policy !== "passkey";
  const early = passkeyFirst ? await throughNewPasskey(bearer, bindings) : undefined;
  return {
    "POST /auth/login": outcomeOf(first),
    "POST /auth/2fa/verify": outcomeOf(second),
    "POST /auth/passkey/verify": outcomeOf(alone),
    "POST /auth/refresh": outcomeOf(refreshed),
    "POST /auth/step-up": outcomeOf(stepUp),
    "POST /auth/2fa/totp/confirm": await throughTotp(bearer, bindings),
    "POST /auth/2fa/passkeys": early ?? (await throughNewPasskey(bearer, bindings)),
    "POST /auth/password/change": outcomeOf(changed),
  };
}

const NO_CHALLENGE = "401 invalid_challenge";
const NO_CODE = "401 invalid_code";
const NO_REFRESH = "401 invalid_refresh_token";
const NO_SESSION = "401 invalid_token";
/** A session that the present policy would not open: the test after the table. */
const BELOW_POLICY = expect.any(String);
const TOO_LITTLE = "401 insufficient_user_authentication";

/** Without a factor; what finishing an authenticator and a passkey gives differs with what comes first. */
const withoutFactor = (totp: string, passkey: string, totpRequired: string, passkeyRequired: string) => ({
  optional: [
    ...["session aal1", NO_CHALLENGE, NO_CODE, "session aal1", "access token aal1"],
    ...[totp, passkey, "session aal1"],
  ],
  required: [
    ...["enrolment: totp passkey", NO_CHALLENGE, NO_CODE, NO_REFRESH, BELOW_POLICY],
    ...[totpRequired, passkeyRequired, NO_SESSION],
  ],
  passkey: [
    ...["enrolment: passkey", NO_CHALLENGE, NO_CODE, NO_REFRESH, BELOW_POLICY],
    ...["403 forbidden", "session aal2", NO_SESSION],
  ],
});
const withTotp = [
  "challenge: totp recovery_code",
  "session aal2",
  NO_CODE,
  "session aal2",
  "challenge: totp recovery_code",
  "200 active",
  "201 active",
  "session aal2",
];
const withPasskey = [
  "challenge: passkey recovery_code",
  "session aal2",
  "session aal2",
  "session aal2",
  "challenge: passkey recovery_code",
];
const withCodes = [
  "challenge: recovery_code",
  "session aal2-recovery",
  NO_CODE,
  "session aal2-recovery",
  "access token aal2-recovery",
  TOO_LITTLE,
  TOO_LITTLE,
  TOO_LITTLE,
];

/** What each route gives, in the order of the list above. */
const TABLE: Record<Holding, Record<Policy, unknown[]>> = {
  "no factor": withoutFactor("200 active", TOO_LITTLE, "session aal2", NO_CHALLENGE),
  "an authenticator never confirmed": withoutFactor("200 active", TOO_LITTLE, "session aal2", NO_CHALLENGE),
  "a passkey never registered": withoutFactor(TOO_LITTLE, "201 active", NO_CHALLENGE, "session aal2"),
  TOTP: {
    optional: withTotp,
    required: withTotp,
    passkey: [
      "challenge: totp recovery_code",
      "enrolment: passkey",
      NO_CODE,
      NO_REFRESH,
      BELOW_POLICY,
      "403 forbidden",
      "session aal2",
      NO_SESSION,
    ],
  },
  "a passkey only": {
    optional: [...withPasskey, "200 active", "201 active", "session aal2"],
    required: [...withPasskey, "200 active", "201 active", "session aal2"],
    passkey: [...withPasskey, "403 forbidden", "201 active", "session aal2"],
  },
  "recovery codes only": { optional: withCodes, required: withCodes, passkey: withCodes },
};

describe.each(POLICIES)("where a second factor is %s", (policy) => {
  it.each(Object.keys(HOLDERS) as Holding[])("an account with %s", async (holding) => {
    const outcomes = await takeEveryRoute(holding, policy);
    const expected = CAN_END_IN_TOKENS.map((route, index) => [route, TABLE[holding][policy][index]]);
    expect(outcomes).toEqual(Object.fromEntries(expected));
  });
});

describe.each(["required", "passkey"])("a session without a factor, where one is %s,", (policy) => {
  const bindings = { ...env, SECOND_FACTOR: policy };
  const ways: Record<string, (holder: Holder) => Promise<Answer>> = {
    refresh: ({ session }) => refresh(session.refresh_token, { bindings }),
    "step-up": ({ person, session }) =>
      call("/auth/step-up", { password: person.password }, { bearer: session.access_token, bindings }),
  };

  it.each(Object.keys(ways))("gets no token by %s", async (way) => {
    const refused = await ways[way]?.(await HOLDERS["no factor"]());
    expect(refused && outcomeOf(refused)).toMatch(/^401 /);
  });
});

it("a session by code gets no token by refresh where only passkeys count", async () => {
  const { session } = await HOLDERS.TOTP();
  const refused = await refresh(session.refresh_token, { bindings: { ...env, SECOND_FACTOR: "passkey" } });
  expect(outcomeOf(refused)).toBe(NO_REFRESH);
});
