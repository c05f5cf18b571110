import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { ADMIN_READ_FACTOR_MAX_AGE_SECONDS } from "../../src/event-policy.ts";
import { FRESH_SECONDS } from "../../src/policy.ts";
import {
  call,
  challengeOf,
  logIn,
  newGuardedPerson,
  newPerson,
  type Person,
  recover,
  send,
} from "../support/in-worker.ts";
import { freshBearer, userOf } from "./support/account-life.ts";
import { type Admin, type AdminCall, actsOn, ago, askAdmin, newAdmin, setRoles, tokenWith } from "./support/admin.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

type Route = [method: "GET" | "POST", path: (id: string) => string, body?: object];

const READS: Record<string, Route> = {
  "GET /events": ["GET", () => "/events"],
  "GET /events/stream": ["GET", () => "/events/stream"],
  "GET /events/export": ["GET", () => "/events/export"],
  "GET /alerts": ["GET", () => "/alerts"],
  "GET /stats": ["GET", () => "/stats"],
  "GET /users": ["GET", () => "/users?email=nobody@example.com"],
  "GET /keys": ["GET", () => "/keys"],
};
const WRITES: Record<string, Route> = {
  "POST /users/invite": ["POST", () => "/users/invite", { email: "taken@example.com" }],
  "POST /users/:id/disable": ["POST", (id) => `/users/${id}/disable`, {}],
  "POST /users/:id/enable": ["POST", (id) => `/users/${id}/enable`, {}],
  "POST /users/:id/sign-out": ["POST", (id) => `/users/${id}/sign-out`, {}],
  "POST /users/:id/reset-factors": ["POST", (id) => `/users/${id}/reset-factors`, {}],
  "POST /users/:id/unlock": ["POST", (id) => `/users/${id}/unlock`, {}],
  "POST /users/:id/roles": ["POST", (id) => `/users/${id}/roles`, { roles: ["editor"] }],
  "POST /keys": ["POST", () => "/keys", { action: "rotate", purpose: "nothing" }],
};
const ROUTES = { ...READS, ...WRITES };

const NOBODY = "00000000-0000-4000-8000-000000000000";

const ask = (route: string, options: AdminCall, id = NOBODY) => {
  const [method, path, body] = ROUTES[route] as Route;
  return askAdmin(path(id), { method, body, ...options });
};

const codeOf = async (route: string, bearer: string, options: AdminCall = {}) =>
  (await ask(route, { bearer, ...options })).code;

/** What an admin may do without further proof: none of the answers is about who asks. */
const ABOUT_PROOF = ["invalid_token", "forbidden", "insufficient_user_authentication"];

describe.each(Object.keys(ROUTES))("%s", (route) => {
  it("asks for a token of ours", async () => {
    const answer = await ask(route, {});
    expect([answer.status, answer.code]).toEqual([401, "invalid_token"]);
    expect(answer.headers.get("WWW-Authenticate")).toBe('Bearer error="invalid_token"');
    expect(await codeOf(route, "a.b.c")).toBe("invalid_token");
  });

  it("is forbidden to whoever has no role, whatever was proven and whatever is asked", async () => {
    const person = await newGuardedPerson();
    const bearer = await freshBearer(person);
    const proofs = [{ pwd: ago(0), otp: ago(0) }, { pwd: ago(0) }, { pwd: ago(0), recovery_code: ago(0) }];
    for (const proof of [...proofs, { pwd: ago(90_000), otp: ago(90_000) }]) {
      const answer = await ask(route, { bearer: await tokenWith(bearer, proof) });
      expect([answer.status, answer.code, answer.headers.get("WWW-Authenticate")]).toEqual([403, "forbidden", null]);
    }
    const [method, path] = ROUTES[route] as Route;
    if (method === "POST") {
      const malformed = await call(`/admin/api${path(NOBODY)}`, { no: "such member" }, { bearer });
      expect(malformed.body.code).toBe("forbidden");
    }
  });

  it("believes the directory and not the token", async () => {
    const admin = await newAdmin();
    await setRoles(admin, []);
    expect(await codeOf(route, admin.bearer)).toBe("forbidden");
    await setRoles(admin, ["administrator", "Admin", "editor"]);
    expect(await codeOf(route, admin.bearer)).toBe("forbidden");
    const person = await newGuardedPerson();
    const bearer = await freshBearer(person);
    await setRoles(person, ["admin"]);
    expect(ABOUT_PROOF).not.toContain(await codeOf(route, bearer));
  });

  it("wants both factors, and no recovery code among them", async () => {
    const { bearer } = await newAdmin();
    for (const proof of [{ pwd: ago(0) }, { otp: ago(0) }, { pwd: ago(0), recovery_code: ago(0) }]) {
      const answer = await ask(route, { bearer: await tokenWith(bearer, proof) });
      const maxAge = route in READS ? ADMIN_READ_FACTOR_MAX_AGE_SECONDS : FRESH_SECONDS;
      expect([answer.status, answer.headers.get("WWW-Authenticate")]).toEqual([
        401,
        `Bearer error="insufficient_user_authentication", acr_values="aal2", max_age=${maxAge}`,
      ]);
    }
  });

  it("wants them new enough", async () => {
    const { bearer } = await newAdmin();
    const maxAge = route in READS ? ADMIN_READ_FACTOR_MAX_AGE_SECONDS : FRESH_SECONDS;
    const just = await tokenWith(bearer, { pwd: ago(0), otp: ago(maxAge - 1) });
    expect(ABOUT_PROOF).not.toContain(await codeOf(route, just));
    const old = await tokenWith(bearer, { pwd: ago(0), otp: ago(maxAge) });
    expect(await codeOf(route, old)).toBe("insufficient_user_authentication");
  });

  it("wants a passkey where nothing else counts", async () => {
    const { bearer } = await newAdmin();
    const bindings = { ...env, ADMIN_FACTOR: "passkey" };
    const [app, passkey] = [
      { pwd: ago(0), otp: ago(0) },
      { pwd: ago(0), hwk: ago(0) },
    ];
    expect(await codeOf(route, await tokenWith(bearer, app), { bindings })).toBe("insufficient_user_authentication");
    expect(ABOUT_PROOF).not.toContain(await codeOf(route, await tokenWith(bearer, passkey), { bindings }));
    const stale = { ...passkey, otp: ago(0), hwk: ago(90_000) };
    expect(await codeOf(route, await tokenWith(bearer, stale), { bindings })).toBe("insufficient_user_authentication");
  });

  it("is closed to a session that has ended, and to an account that is", async () => {
    const admin = await newAdmin();
    await env.DB.prepare("UPDATE users SET status = 'disabled' WHERE id = ?").bind(admin.id).run();
    expect(await codeOf(route, admin.bearer)).toBe("invalid_token");
    const other = await newAdmin();
    await call("/auth/logout", {}, { bearer: other.bearer });
    expect(await codeOf(route, other.bearer)).toBe("invalid_token");
  });

  it("is for listed pages alone", async () => {
    const { bearer } = await newAdmin();
    const foreign = await ask(route, { bearer, headers: { Origin: "https://evil.example" } });
    expect([foreign.status, foreign.code]).toEqual([403, "forbidden_origin"]);
    const own = await ask(route, { bearer, headers: { Origin: "http://localhost", "Sec-Fetch-Site": "same-origin" } });
    expect(own.headers.get("Access-Control-Allow-Origin")).toBe("http://localhost");
    expect(own.headers.get("Cache-Control")).toContain("no-store");
    expect(own.headers.get("X-Content-Type-Options")).toBe("nosniff");
  });
});

it("a browser that is trusted, and a session by recovery code, administer nobody", async () => {
  const admin = await newAdmin();
  const recovered = await recover(await challengeOf(admin), admin.recoveryCodes[0]);
  expect(recovered.body.status).toBe("authenticated");
  expect(await codeOf("GET /stats", String(recovered.body.access_token))).toBe("insufficient_user_authentication");
  const plain = await newPerson();
  await setRoles(plain, ["admin"]);
  const { body } = await logIn(plain);
  expect(await codeOf("GET /stats", String(body.access_token))).toBe("insufficient_user_authentication");
});

it("names what is there and how it is asked", async () => {
  const { bearer } = await newAdmin();
  expect((await call("/admin/api/nothing", undefined, { bearer })).body.code).toBe("not_found");
  const wrong = await call("/admin/api/users/invite", undefined, { bearer, method: "DELETE" });
  expect([wrong.status, wrong.headers.get("Allow")]).toEqual([405, "POST"]);
  expect((await call("/admin/api/keys", undefined, { bearer, method: "PUT" })).headers.get("Allow")).toBe(
    "GET, POST, HEAD",
  );
});

describe("a body that comes slowly", () => {
  /** Sends half of a body, lets something happen, and sends the rest. */
  async function slowly(admin: Admin, target: Person, meanwhile: () => Promise<void>): Promise<unknown> {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const request = new Request(`http://localhost/admin/api/users/${target.id}/sign-out`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${admin.bearer}` },
      body: readable,
    });
    const answer = send(request);
    await writer.write(new TextEncoder().encode("{"));
    await scheduler.wait(200);
    await meanwhile();
    await writer.write(new TextEncoder().encode("}"));
    await writer.close();
    const { body } = await answer;
    return body.code ?? body.status;
  }

  it("outlives neither the role nor the proof", async () => {
    const [admin, other, target] = [await newAdmin(), await newAdmin(), await newPerson()];
    expect(await slowly(admin, target, async () => undefined)).toBe("signed_out");
    expect(await slowly(admin, target, () => setRoles(admin, []))).toBe("forbidden");
    const old = async () => pass((FRESH_SECONDS + 1) * SECOND);
    expect(await slowly(other, target, old)).toBe("insufficient_user_authentication");
    expect(await actsOn(target)).toHaveLength(1);
    expect((await userOf(target))?.status).toBe("active");
  });
});
