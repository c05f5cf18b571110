import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  cookieOf,
  expectProblem,
  issuer,
  logIn,
  me,
  newPerson,
  ordinaryLines,
  ownPage,
  type Person,
  post,
  refreshCookie,
  send,
  sendRaw,
  text,
  verifiedPerson,
} from "../../support/client.ts";

const evil = "https://evil.example";
// Another scheme or letter case cannot be tried here: the proxy of the development server rewrites any URL that has the
// instance's own host, whatever header it is in.
const foreignOrigins = [
  evil,
  "null",
  `${issuer}.evil.example`,
  issuer.replace("localhost", "evil-localhost"),
  issuer.replace(/:\d+$/, ""),
  `${issuer}0`,
  `${issuer}/`,
  issuer.replace("localhost", "app.localhost"),
  `${issuer}, ${issuer}`,
];
let person: Person;
const signInPage = () => logIn(person, {}, { headers: ownPage });
const refreshPage = (cookie: string, headers: Record<string, string> = ownPage) =>
  post("/auth/refresh", {}, { headers, cookie });

function expectNoCors(answer: Answer): void {
  expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
}

beforeAll(async () => {
  person = await verifiedPerson();
});

describe("the refresh cookie", () => {
  it("is set and rotated with the same attributes", async () => {
    const page = await signInPage();
    const rotated = await refreshPage(cookieOf(page));
    expect(rotated.status, rotated.text).toBe(200);
    expect(rotated.text).not.toContain("rt_");
    expect(refreshCookie(rotated)?.value).not.toBe(refreshCookie(page)?.value);
    for (const answer of [page, rotated]) {
      const attributes =
        refreshCookie(answer)?.attributes.filter((attribute) => !attribute.startsWith("expires=")) ?? [];
      expect(attributes.sort()).toEqual(["httponly", "max-age=86400", "path=/", "samesite=strict", "secure"]);
      expect(answer.headers.getSetCookie().filter((line) => line.startsWith("__Host-sallyport_rt=")).length).toBe(1);
    }
    expect((await me(text(rotated, "access_token"))).status).toBe(200);
  });

  it("is not looked at without a listed origin: 403, and nothing has rotated", async () => {
    const page = await signInPage();
    const attempts: Record<string, string>[] = [
      {},
      { "sec-fetch-site": "same-origin" },
      ...foreignOrigins.map((origin) => ({ origin })),
      { origin: evil, "sec-fetch-site": "cross-site" },
      { origin: evil, "sec-fetch-site": "same-site" },
      { origin: "null", "sec-fetch-site": "same-origin" },
      { origin: issuer, "sec-fetch-site": "cross-site" },
    ];
    for (const headers of attempts) {
      for (const path of ["/auth/refresh", "/auth/logout"]) {
        const answer = await post(path, {}, { headers, cookie: cookieOf(page) });
        expect({ path, headers, status: answer.status, code: answer.body.code }).toEqual({
          path,
          headers,
          status: 403,
          code: "forbidden_origin",
        });
        expect(answer.text).not.toContain("access_token");
        expect(refreshCookie(answer)).toBeUndefined();
      }
    }
    // Had one of them rotated the token, this would give the same successor; had one ended the session, nothing.
    const first = await refreshPage(cookieOf(page));
    expect(first.status).toBe(200);
    expect((await refreshPage(cookieOf(first))).status).toBe(200);
  });

  it("is not accepted together with a token in the body", async () => {
    const page = await signInPage();
    const body = { refresh_token: refreshCookie(page)?.value };
    for (const path of ["/auth/refresh", "/auth/logout"]) {
      expectProblem(await post(path, body, { headers: ownPage, cookie: cookieOf(page) }), 400, "invalid_request");
    }
    expect((await refreshPage(cookieOf(page))).status).toBe(200);
  });

  it("counts only under its exact name, and only once", async () => {
    const page = await signInPage();
    const value = refreshCookie(page)?.value ?? "";
    for (const cookie of [
      `rt=${value}`,
      `__host-sallyport_rt=${value}`,
      `sallyport_rt=${value}`,
      `__Host-sallyport_rt2=${value}`,
    ]) {
      const answer = await refreshPage(cookie);
      expect([400, 401], cookie).toContain(answer.status);
    }
    for (const cookie of [
      `${cookieOf(page)}; ${cookieOf(page)}`,
      `${cookieOf(page)}; __Host-sallyport_rt=rt_other`,
      `__Host-sallyport_rt=; ${cookieOf(page)}`,
    ]) {
      expectProblem(await refreshPage(cookie), 400, "invalid_request");
    }
    expect((await refreshPage(`theme=dark; ${cookieOf(page)}; lang=en`)).status).toBe(200);
  });

  it("keeps its attributes when a refusal takes it back", async () => {
    const answer = await refreshPage(`__Host-sallyport_rt=rt_${"A".repeat(120)}`);
    expectProblem(answer, 401, "invalid_refresh_token");
    const cookie = refreshCookie(answer);
    if (cookie === undefined) return; // the contract does not ask for it
    expect(cookie.value).toBe("");
    expect(cookie.attributes).toEqual(
      expect.arrayContaining(["secure", "httponly", "samesite=strict", "path=/", "max-age=0"]),
    );
  });

  it("moves nothing when the body is not JSON by its content type", async () => {
    const page = await signInPage();
    const types = [
      "text/plain",
      "text/plain; charset=utf-8",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/xml",
      "application/json; charset=utf-16",
    ];
    for (const path of ["/auth/refresh", "/auth/logout"]) {
      for (const type of types) {
        const answer = await post(path, {}, { headers: { ...ownPage, "content-type": type }, cookie: cookieOf(page) });
        expectProblem(answer, 415, "unsupported_media_type");
      }
      const lines: [string, string][] = [
        ...ordinaryLines(),
        ["Origin", issuer],
        ["Cookie", cookieOf(page)],
        ["Content-Length", "2"],
      ];
      expectProblem(await sendRaw("POST", path, lines, ["{}"]), 415, "unsupported_media_type");
    }
    const first = await refreshPage(cookieOf(page));
    expect((await refreshPage(cookieOf(first))).status).toBe(200);
  });
});

describe("a page of another origin", () => {
  it("cannot sign a visitor in, register or answer for him", async () => {
    const stranger = newPerson();
    const requests: [string, unknown][] = [
      ["/auth/login", { email: person.email, password: person.password }],
      ["/auth/register", { email: stranger.email, password: stranger.password }],
      ["/auth/2fa/verify", { challenge_token: "a.b.c", method: "totp", code: "123456" }],
    ];
    for (const [path, body] of requests) {
      for (const headers of [{ origin: evil, "sec-fetch-site": "cross-site" }, { origin: evil }, { origin: "null" }]) {
        const answer = await post(path, body, { headers });
        expectProblem(answer, 403, "forbidden_origin");
        expect(answer.headers.getSetCookie()).toEqual([]);
        expectNoCors(answer);
      }
    }
  });

  it("is allowed nothing by CORS, whatever its origin resembles", async () => {
    for (const origin of foreignOrigins) {
      const preflight = await send("OPTIONS", "/auth/login", undefined, {
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
      });
      expect([200, 204, 403, 404, 405], origin).toContain(preflight.status);
      expectNoCors(preflight);
      expectNoCors(await send("GET", "/auth/config", undefined, { headers: { origin } }));
      expectNoCors(await send("GET", "/auth/me", undefined, { headers: { origin } }));
    }
  });
});

describe("CORS for a listed origin", () => {
  const preflight = (path: string, method: string) =>
    send("OPTIONS", path, undefined, {
      headers: {
        origin: issuer,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type,dpop,x-request-id",
      },
    });
  const names = (answer: Answer, header: string) => (answer.headers.get(header) ?? "").toLowerCase().split(/\s*,\s*/);

  it("is announced with the headers of the contract, with credentials, for ten minutes", async () => {
    for (const [path, method] of [
      ["/auth/login", "POST"],
      ["/auth/me", "GET"],
      ["/auth/sessions", "DELETE"],
    ] as const) {
      const answer = await preflight(path, method);
      expect([200, 204]).toContain(answer.status);
      expect(answer.headers.get("access-control-allow-origin")).toBe(issuer);
      expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
      expect(answer.headers.get("access-control-max-age")).toBe("600");
      expect(names(answer, "access-control-allow-methods").map((one) => one.toUpperCase())).toContain(method);
      expect(names(answer, "access-control-allow-headers")).toEqual(
        expect.arrayContaining(["authorization", "content-type", "dpop", "x-request-id"]),
      );
      expect(names(answer, "vary")).toContain("origin");
    }
  });

  it("covers answers and refusals, and exposes what a page must read", async () => {
    const answers = [
      await signInPage(),
      await send("GET", "/auth/me", undefined, { headers: ownPage }),
      await post("/auth/login", {}, { headers: ownPage }),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([200, 401, 400]);
    for (const answer of answers) {
      expect(answer.headers.get("access-control-allow-origin")).toBe(issuer);
      expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
      expect(names(answer, "access-control-expose-headers")).toEqual(
        expect.arrayContaining(["www-authenticate", "retry-after", "dpop-nonce", "x-request-id"]),
      );
      expect(names(answer, "vary")).toContain("origin");
    }
  });

  it("varies by origin even when none was sent", async () => {
    expect(names(await send("GET", "/auth/config"), "vary")).toContain("origin");
    expect(names(await send("GET", "/auth/config", undefined, { headers: { origin: evil } }), "vary")).toContain(
      "origin",
    );
  });
});
