import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  enrol,
  expectProblem,
  get,
  mailsTo,
  newPerson,
  ordinaryLines,
  post,
  type Session,
  sendRaw,
  signedIn,
  verifiedPerson,
} from "../../support/client.ts";

let session: Session;

beforeAll(async () => {
  session = await signedIn(await verifiedPerson());
});

const routes = [
  "/auth/register",
  "/auth/login",
  "/auth/email/verify",
  "/auth/proof",
  "/auth/passkey/options",
  "/auth/2fa/passkey/options",
  "/auth/refresh",
  "/auth/logout",
  "/auth/step-up",
  "/auth/2fa/totp/enroll",
  "/auth/2fa/totp/confirm",
  "/auth/2fa/passkeys/options",
  "/auth/2fa/recovery-codes",
  "/auth/2fa/turn-off",
];

/** "A body over 16 KiB (64 KiB for passkeys)": where a registration or an assertion may come. */
const passkeyRoutes = ["/auth/2fa/verify", "/auth/passkey/verify", "/auth/2fa/passkeys"];

/** The issue allows 100 ms; the instance is shared, so the best of several tries counts. */
async function inGoodTime(act: () => Promise<Answer>): Promise<Answer> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; ; i++) {
    const start = performance.now();
    const answer = await act();
    best = Math.min(best, performance.now() - start);
    if (best < 100) return answer;
    if (i === 19) throw new Error(`took ${Math.round(best)} ms at best`);
    await sleep(100);
  }
}

describe("a large or deep body", () => {
  const chunked = (path: string, size: number, bearer = "none") => {
    const lines: [string, string][] = [
      ...ordinaryLines(),
      ["Content-Type", "application/json"],
      ["Authorization", `Bearer ${bearer}`],
      ["Transfer-Encoding", "chunked"],
    ];
    return sendRaw("POST", path, lines, ['{"email":"', ...("x".repeat(size).match(/.{1,16384}/g) ?? []), '"}']);
  };

  it("over 16 KiB is too large, with and without a Content-Length, on every route", async () => {
    for (const path of routes) {
      expectProblem(
        await post(path, { email: "x".repeat(17 * 1024) }, { bearer: session.access }),
        413,
        "payload_too_large",
      );
      expectProblem(await chunked(path, 17 * 1024, session.access), 413, "payload_too_large");
    }
    const under = 15 * 1024;
    expectProblem(await post("/auth/login", { email: "x".repeat(under), password: "x" }), 400, "invalid_request");
    expectProblem(await chunked("/auth/login", under), 400, "invalid_request");
    expect((await get("/auth/me", { bearer: session.access })).status).toBe(200);
  });

  it("over 64 KiB is too large where a passkey may answer, with and without a Content-Length", async () => {
    for (const path of passkeyRoutes) {
      const size = 65 * 1024;
      expectProblem(
        await post(path, { email: "x".repeat(size) }, { bearer: session.access }),
        413,
        "payload_too_large",
      );
      expectProblem(await chunked(path, size, session.access), 413, "payload_too_large");
      expectProblem(
        await post(path, { email: "x".repeat(60 * 1024) }, { bearer: session.access }),
        400,
        "invalid_request",
      );
    }
  });

  it("of a megabyte is refused in good time", async () => {
    expectProblem(
      await inGoodTime(() => post("/auth/login", { email: "a@mail.example", password: "x".repeat(1_000_000) })),
      413,
      "payload_too_large",
    );
    expectProblem(await inGoodTime(() => chunked("/auth/login", 1_000_000)), 413, "payload_too_large");
  });

  it("nested 200,000 levels, or as deep as 16 KiB allow, is refused in good time", async () => {
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"],
    ] as const) {
      const huge = await inGoodTime(() => post("/auth/login", open.repeat(200_000) + close.repeat(200_000)));
      expectProblem(huge, huge.status === 413 ? 413 : 400, ["payload_too_large", "invalid_request"]);
      for (const levels of [9, 100, 2_000]) {
        const body = `{"email":"a@mail.example","password":${open.repeat(levels)}1${close.repeat(levels)}}`;
        expectProblem(await inGoodTime(() => post("/auth/login", body)), 400, "invalid_request");
      }
      expectProblem(await inGoodTime(() => post("/auth/login", open.repeat(3_000))), 400, "invalid_request");
    }
  });

  it("with many members or a number of many digits is refused in good time", async () => {
    const members = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`m${i}`, i]));
    expectProblem(await inGoodTime(() => post("/auth/login", members)), 400, "invalid_request");
    expectProblem(
      await inGoodTime(() => post("/auth/login", `{"email":${"9".repeat(15_000)},"password":"x"}`)),
      400,
      "invalid_request",
    );
    expectProblem(
      await inGoodTime(() => post("/auth/login", `{"email":1e${"9".repeat(1_000)},"password":"x"}`)),
      400,
      "invalid_request",
    );
  });

  it("leaves the service as it was", async () => {
    expect((await get("/healthz")).status).toBe(200);
    expect((await enrol(session.access)).status).toBe(201);
  });
});

describe("the content type", () => {
  it("must be application/json in UTF-8", async () => {
    const refused = [
      "text/plain",
      "text/json",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/xml",
      "application/json; charset=utf-16",
      "application/json; charset=iso-8859-1",
      "application/jsonp",
      "application/json, text/plain",
      "application/jwt",
      "json",
      "",
    ];
    const person = newPerson();
    for (const type of refused) {
      for (const path of ["/auth/login", "/auth/register"]) {
        const body = { email: person.email, password: person.password };
        expectProblem(await post(path, body, { headers: { "content-type": type } }), 415, "unsupported_media_type");
      }
    }
    expect(await mailsTo(person.email, 0)).toEqual([]);
    const missing = await sendRaw("POST", "/auth/login", [...ordinaryLines(), ["Content-Length", "2"]], ["{}"]);
    expectProblem(missing, 415, "unsupported_media_type");
    const utf8 = await post(
      "/auth/login",
      { email: person.email, password: person.password },
      { headers: { "content-type": "application/json; charset=utf-8" } },
    );
    expectProblem(utf8, 401, "sign_in_failed");
  });

  it("may not hide a compressed body", async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000, "[")); // a kilobyte on the wire
    const lines: [string, string][] = [
      ...ordinaryLines(),
      ["Content-Type", "application/json"],
      ["Content-Encoding", "gzip"],
      ["Content-Length", String(bomb.length)],
    ];
    const answer = await sendRaw("POST", "/auth/login", lines, [bomb]);
    expectProblem(answer, answer.status, ["unsupported_media_type", "invalid_request", "payload_too_large"]);
    expect([400, 413, 415]).toContain(answer.status);
  });
});
