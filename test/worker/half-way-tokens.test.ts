import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { app } from "../../src/app.ts";
import {
  type Answer,
  addAuthenticator,
  answer,
  call,
  challengeOf,
  type GuardedPerson,
  logIn,
  newGuardedPerson,
  newPerson,
  recover,
  refresh,
  signIn,
} from "../support/in-worker.ts";
import { DAY, MINUTE, pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { addPasskey, syncedPasskey } from "./support/passkeys.ts";

useMovedClock();

/** What anybody may ask, signed in or not. Every other route of the API is for who is signed in. */
const PUBLIC = [
  "GET /auth/config",
  "POST /auth/register",
  "POST /auth/email/verify",
  "POST /auth/login",
  "POST /auth/proof",
  "POST /auth/refresh",
  "POST /auth/logout",
  "POST /auth/2fa/verify",
  "POST /auth/2fa/passkey/options",
  "POST /auth/passkey/options",
  "POST /auth/passkey/verify",
  "POST /auth/invitation/accept",
  "POST /auth/password/forgot",
  "POST /auth/password/reset",
  "POST /auth/email/undo",
  "POST /auth/freeze",
  "POST /auth/deletion/cancel",
  "POST /auth/recovery/start",
  "POST /auth/recovery/confirm",
  "POST /auth/recovery/finish",
];

/** Where an enrolment token does as well as an access token. */
const ENROLLING = [
  "POST /auth/2fa/totp/enroll",
  "POST /auth/2fa/totp/confirm",
  "POST /auth/2fa/passkeys/options",
  "POST /auth/2fa/passkeys",
];

const OF_THE_API = [
  ...new Set(
    app.routes
      .filter(({ method, path }) => method !== "ALL" && path.startsWith("/auth/"))
      .map(({ method, path }) => `${method} ${path}`),
  ),
];
const SIGNED_IN = OF_THE_API.filter((route) => !PUBLIC.includes(route));

const registration = {
  id: "AAAA",
  rawId: "AAAA",
  type: "public-key",
  response: { clientDataJSON: "e30", attestationObject: "oA" },
};

/** Whose own factor and session a route is taken with. */
type Subject = Pick<GuardedPerson, "id" | "email" | "password" | "session" | "factorId" | "codeNow">;

/** A body that the schema of the route takes, so that nothing but the bearer is wrong. */
const BODIES: Record<string, (person: Subject) => object> = {
  "POST /auth/2fa/totp/confirm": (person) => ({ factor_id: person.factorId, code: person.codeNow() }),
  "POST /auth/2fa/passkeys": () => ({ response: registration }),
  "PATCH /auth/2fa/factors/:id": () => ({ label: "Stolen" }),
  "POST /auth/step-up": ({ password }) => ({ password }),
  "POST /auth/password/change": ({ password }) => ({ current_password: password, new_password: `another ${password}` }),
  "POST /auth/email/change": ({ email }) => ({ new_email: `another.${email}` }),
};

/** Takes a route, about this person's own factor and session, with a token of whatever kind. */
function take(route: string, person: Subject, bearer: unknown): Promise<Answer> {
  const [method = "", path = ""] = route.split(" ");
  const id = path.includes("/factors/") ? person.factorId : String(person.session.session_id);
  const body = method === "GET" || method === "DELETE" ? undefined : (BODIES[route]?.(person) ?? {});
  return call(path.replace(":id", id), body, { method, bearer });
}

it("every route of the API is public or for who is signed in, and says so", async () => {
  const person = await newGuardedPerson();
  expect(OF_THE_API).toEqual(expect.arrayContaining([...PUBLIC, ...ENROLLING]));
  for (const route of SIGNED_IN) {
    expect((await take(route, person, undefined)).body.code, route).toBe("invalid_token");
  }
});

describe("while a challenge is open", () => {
  let person: GuardedPerson;
  beforeEach(async () => {
    person = await newGuardedPerson();
  });

  /** A challenge of each purpose, and the refresh token of its session where there is one. */
  const CHALLENGES: Record<string, () => Promise<unknown>> = {
    login: () => challengeOf(person),
    step_up: async () => {
      const { body } = await signIn(person, 0);
      return (await call("/auth/step-up", {}, { bearer: body.access_token })).body.challenge_token;
    },
    reauthenticate: async () => {
      const { body } = await signIn(person, 0, { remember: true });
      pass(DAY + SECOND);
      return (await refresh(body.refresh_token)).body.challenge_token;
    },
  };

  it.each(Object.keys(CHALLENGES))("its token is nowhere an access token, and stays good: %s", async (purpose) => {
    const token = await CHALLENGES[purpose]?.();
    for (const route of SIGNED_IN) {
      const refused = await take(route, person, token);
      expect(refused, route).toMatchObject({ status: 401, body: { code: "invalid_token" } });
      expect(refused.headers.get("WWW-Authenticate")).toBe('Bearer error="invalid_token"');
    }
    expect((await refresh(token)).body.code).toBe("invalid_refresh_token");
    expect((await call("/auth/logout", {}, { bearer: token })).status).toBe(204);
    expect((await call("/auth/logout", { refresh_token: token })).status).toBe(204);
    expect((await call("/auth/email/verify", { token, password: person.password })).body.code).toBe("invalid_link");
    expect((await logIn(person, { proof: String(token) })).body.code).toBe("invalid_link");
    pass(30 * SECOND);
    expect((await answer(token, person.codeNow())).body.status).toBe("authenticated");
  });

  it("neither a refresh token nor a recovery code is an access token", async () => {
    const { body } = await signIn(person, 0);
    for (const bearer of [body.refresh_token, person.recoveryCodes[0], "", "e30.e30.e30"]) {
      for (const route of SIGNED_IN) expect((await take(route, person, bearer)).body.code, route).toBe("invalid_token");
    }
  });
});

describe("an enrolment token", () => {
  const bindings = { ...env, SECOND_FACTOR: "required" };
  let person: Subject;
  let token: unknown;
  beforeEach(async () => {
    const bare = await newPerson();
    const { body: session } = await logIn(bare);
    token = (await logIn(bare, { bindings })).body.enrolment_token;
    person = { ...bare, session, factorId: crypto.randomUUID(), codeNow: () => "000000" };
  });

  it("opens the four routes that add a factor and no other", async () => {
    for (const route of SIGNED_IN) {
      const { status, body } = await take(route, person, token);
      if (ENROLLING.includes(route)) expect(status, route).not.toBe(401);
      else expect({ status, code: body.code }, route).toEqual({ status: 401, code: "invalid_token" });
    }
    expect((await refresh(token)).body.code).toBe("invalid_refresh_token");
    expect((await answer(token, "000000")).body.code).toBe("invalid_challenge");
    expect((await recover(token, "0".repeat(24))).body.code).toBe("invalid_challenge");
    expect((await call("/auth/2fa/passkey/options", { challenge_token: token })).body.code).toBe("invalid_challenge");
    expect((await call("/auth/logout", {}, { bearer: token })).status).toBe(204);
    expect((await addPasskey(token, syncedPasskey())).body.access_token).toBeDefined();
  });

  const DEATHS: Record<string, () => Promise<unknown>> = {
    "has expired": async () => pass(10 * MINUTE),
    "was used": () => addAuthenticator(token),
    "was overtaken by a factor that the session added": () => addAuthenticator(person.session.access_token),
    "was ended with all other sign-ins": () =>
      call("/auth/sessions", undefined, { method: "DELETE", bearer: person.session.access_token }),
    "was pushed out by three newer ones": async () => {
      for (let i = 0; i < 3; i += 1) await logIn(person, { bindings });
    },
  };

  it.each(Object.keys(DEATHS))("that %s opens nothing", async (death) => {
    const enrolled = await call("/auth/2fa/totp/enroll", {}, { bearer: token });
    expect(enrolled.status).toBe(201);
    await DEATHS[death]?.();
    for (const route of ENROLLING) {
      expect((await take(route, person, token)).body.code, route).toBe("invalid_challenge");
    }
  });
});
