import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  expectProblem,
  get,
  issuer,
  logIn,
  newPerson,
  ordinaryLines,
  ownPage,
  type Person,
  post,
  type Session,
  send,
  sendRaw,
  sessionOf,
  verifiedPerson,
} from "../../support/client.ts";

let person: Person;
let session: Session;
let answers: Record<string, Answer>;

beforeAll(async () => {
  person = await verifiedPerson();
  const login = await logIn(person);
  session = sessionOf(login);
  const id = "00000000-0000-4000-8000-000000000000";
  answers = {
    login,
    healthz: await get("/healthz"),
    readyz: await get("/readyz"),
    config: await get("/auth/config"),
    me: await get("/auth/me", { bearer: session.access }),
    register: await post("/auth/register", { email: newPerson().email, password: newPerson().password }),
    logout: await post("/auth/logout", { refresh_token: "rt_x" }),
    mailbox: await get("/dev/mailbox?to=nobody@mail.example"),
    "no token": await get("/auth/me"),
    "wrong password": await logIn(newPerson()),
    malformed: await post("/auth/login", { email: 1 }),
    "weak password": await post("/auth/register", { email: newPerson().email, password: "short" }),
    "no such route": await get("/auth/nothing-here"),
    "no such page": await get("/nothing/here"),
    "no such session": await send("DELETE", `/auth/sessions/${id}`, undefined, { bearer: session.access }),
    "wrong method": await get("/auth/login"),
    "wrong type": await post("/auth/login", "{}", { headers: { "content-type": "text/plain" } }),
    "foreign origin": await post("/auth/login", {}, { headers: { origin: "https://evil.example" } }),
    "wrong host": await sendRaw("GET", "/auth/config", [
      ["Host", "evil.example"],
      ["CF-Connecting-IP", "10.0.0.1"],
      ["Connection", "close"],
    ]),
    preflight: await send("OPTIONS", "/auth/login", undefined, {
      headers: { ...ownPage, "access-control-request-method": "POST" },
    }),
    JWKS: await get("/.well-known/jwks.json"),
    "JWKS, not modified": await get("/.well-known/jwks.json", { headers: { "if-none-match": "*" } }),
  };
});

describe("every answer", () => {
  it("carries a request id of its own", () => {
    expect(answers["JWKS, not modified"]?.status).toBe(304);
    const ids = Object.entries(answers).map(([name, answer]) => {
      expect(answer.headers.get("x-request-id"), name).toMatch(/^[\w.:-]{8,128}$/);
      return answer.headers.get("x-request-id");
    });
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("but the public documents is never stored", () => {
    for (const [name, answer] of Object.entries(answers)) {
      if (!name.startsWith("JWKS") && name !== "preflight")
        expect(answer.headers.get("cache-control"), name).toMatch(/\bno-store\b/);
    }
  });

  it("carries the security headers", () => {
    for (const [name, { headers }] of Object.entries(answers)) {
      expect(headers.get("x-content-type-options"), name).toBe("nosniff");
      expect(headers.get("referrer-policy"), name).toBe("no-referrer");
      expect(headers.get("cross-origin-opener-policy"), name).toBe("same-origin");
      if (!name.startsWith("JWKS")) expect(headers.get("cross-origin-resource-policy"), name).toBe("same-origin");
      expect(headers.get("permissions-policy"), name).toMatch(
        /publickey-credentials-get=\(self\).*publickey-credentials-create=\(self\)/,
      );
      // RFC 6797 §7.2 forbids it on plain HTTP, so on localhost it may be absent; never weaker.
      expect([null, "max-age=63072000; includeSubDomains"], name).toContain(headers.get("strict-transport-security"));
      expect(headers.get("x-powered-by"), name).toBeNull();
    }
  });

  it("that refuses is a problem with exactly its members", () => {
    const refusals: [string, number, string][] = [
      ["no token", 401, "invalid_token"],
      ["wrong password", 401, "sign_in_failed"],
      ["malformed", 400, "invalid_request"],
      ["weak password", 422, "weak_password"],
      ["no such route", 404, "not_found"],
      ["no such page", 404, "not_found"],
      ["no such session", 404, "not_found"],
      ["wrong method", 405, "method_not_allowed"],
      ["wrong type", 415, "unsupported_media_type"],
      ["foreign origin", 403, "forbidden_origin"],
      ["wrong host", 421, "misdirected_request"],
    ];
    const extra: Record<string, string> = { malformed: "errors", "weak password": "reason" };
    for (const [name, status, code] of refusals) {
      const answer = answers[name];
      if (answer === undefined) throw new Error(name);
      expectProblem(answer, status, code);
      const members = [
        "code",
        "request_id",
        "status",
        "title",
        "type",
        ...(extra[name] === undefined ? [] : [extra[name]]),
      ];
      // RFC 9457 allows detail and instance; nothing else may tell how the service is made.
      expect(
        Object.keys(answer.body)
          .filter((member) => member !== "detail" && member !== "instance")
          .sort(),
        name,
      ).toEqual(members.sort());
      expect(answer.text, name).not.toMatch(/\bat .*\.(ts|js):\d|\bstack\b|sqlite|D1_|valibot|hono/i);
    }
  });
});

describe("methods", () => {
  const routes: Record<string, string[]> = {
    "/auth/register": ["POST"],
    "/auth/email/verify": ["POST"],
    "/auth/login": ["POST"],
    "/auth/2fa/verify": ["POST"],
    "/auth/refresh": ["POST"],
    "/auth/logout": ["POST"],
    "/auth/step-up": ["POST"],
    "/auth/2fa/totp/enroll": ["POST"],
    "/auth/2fa/totp/confirm": ["POST"],
    "/auth/config": ["GET"],
    "/auth/me": ["GET"],
    "/auth/2fa": ["GET"],
    "/auth/sessions": ["GET", "DELETE"],
    "/auth/sessions/x": ["DELETE"],
    "/.well-known/jwks.json": ["GET"],
    "/healthz": ["GET"],
    "/readyz": ["GET"],
  };

  it.each(Object.entries(routes))("%s takes %s and names them when asked for another", async (path, allowed) => {
    for (const method of ["GET", "POST", "PUT", "PATCH"].filter((one) => !allowed.includes(one))) {
      const answer = await send(method, path);
      expectProblem(answer, 405, "method_not_allowed");
      const named = (answer.headers.get("allow") ?? "").split(/\s*,\s*/);
      expect(named, method).toEqual(expect.arrayContaining(allowed));
      expect(named, method).not.toContain(method);
    }
  });

  it("that only look change nothing: HEAD and plain OPTIONS of a state change", async () => {
    for (const path of ["/auth/login", "/auth/logout", "/auth/refresh"]) {
      expect((await send("HEAD", path, undefined, { bearer: session.access })).status).toBe(405);
      expect([204, 405]).toContain((await send("OPTIONS", path, undefined, { bearer: session.access })).status);
    }
    expect((await get("/auth/me", { bearer: session.access })).status).toBe(200);
  });

  it("nobody uses are refused: TRACE", async () => {
    const answer = await sendRaw("TRACE", "/auth/login", [...ordinaryLines(), ["Cookie", "secret=canary"]]);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.text).not.toContain("canary");
  });
});

describe("another spelling of a path", () => {
  const spellings = [
    "//auth/me",
    "/auth//me",
    "/auth/me/",
    "/auth/%6de",
    "/auth/me;x",
    "/auth/me%2f",
    "/AUTH/ME",
    "/auth/./me",
    "/x/../auth/me",
    "/auth/me%00",
    "/auth\\me",
    "/auth/me%20",
    "/auth/me.json",
  ];

  it.each(spellings)("%s is the same route or none, never a way past the checks", async (path) => {
    const answer = await sendRaw("GET", path, ordinaryLines());
    expect([400, 401, 404]).toContain(answer.status);
    expect(answer.text).not.toContain(person.email);
    const evil = await sendRaw("GET", path, [
      ...ordinaryLines().filter(([name]) => name !== "Host"),
      ["Host", "evil.example"],
      ["Authorization", `Bearer ${session.access}`],
    ]);
    expect([400, 404, 421]).toContain(evil.status);
    expect(evil.text).not.toContain(person.email);
  });

  it("keeps the rules for bodies and origins", async () => {
    for (const path of ["//auth/login", "/auth/login/", "/auth/%6cogin", "/auth/login;x", "/AUTH/LOGIN"]) {
      const answer = await post(
        path,
        { email: person.email, password: person.password },
        { headers: { origin: "https://evil.example" } },
      );
      expect([403, 404], path).toContain(answer.status);
      expect(answer.text).not.toContain("access_token");
      expect(answer.headers.get("x-request-id"), `${issuer}${path}`).toMatch(/\S/);
    }
  });
});
