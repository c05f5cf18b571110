import { beforeAll, describe, expect, it } from "vitest";
import { Authenticator } from "../../support/authenticator.ts";
import {
  confirm,
  enrol,
  expectProblem,
  get,
  type Json,
  mailsTo,
  newPerson,
  post,
  type Session,
  send,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";

let session: Session;

beforeAll(async () => {
  session = await signedIn(await verifiedPerson());
});

describe("naughty strings", () => {
  const naughty = [
    "undefined",
    "../../../../etc/passwd",
    "' OR 1=1 -- 1",
    "'; DROP TABLE users; --",
    '"><script>alert(1)</script>',
    "#{7*7}",
    "a:b:c",
    "__proto__",
    "\u202Etest\u202C",
    "\u2028\u2029",
    "\u0000",
    "\uFEFF",
    "👾🙇‍♀️🏳️‍🌈",
    "\r\nSet-Cookie: a=b",
    " ".repeat(40),
    "\uD83D",
  ];

  it("in any string member are refused or taken as they are, and break nothing", async () => {
    const { email, password } = newPerson();
    const members: [path: string, body: (one: string) => Json, allowed: number[]][] = [
      ["/auth/register", (one) => ({ email: one, password }), [400]],
      ["/auth/login", (one) => ({ email: one, password }), [400, 401]],
      ["/auth/email/verify", (one) => ({ token: one, password }), [400]],
      ["/auth/2fa/verify", (one) => ({ challenge_token: one, method: "totp", code: "123456" }), [400, 401]],
      ["/auth/2fa/verify", (one) => ({ challenge_token: "a.b.c", method: one, code: "123456" }), [400]],
      ["/auth/2fa/verify", (one) => ({ challenge_token: "a.b.c", method: "totp", code: one }), [400]],
      ["/auth/2fa/verify", (one) => ({ challenge_token: "a.b.c", method: "recovery_code", code: one }), [400]],
      ["/auth/refresh", (one) => ({ refresh_token: one }), [400, 401]],
      ["/auth/logout", (one) => ({ refresh_token: one }), [204, 400]],
      ["/auth/2fa/totp/enroll", (one) => ({ label: one }), [201, 400]],
      ["/auth/2fa/totp/confirm", (one) => ({ factor_id: "x", code: one }), [400]],
    ];
    for (const one of naughty) {
      const call = (path: string) => (path.includes("totp") ? { bearer: session.access } : {});
      const answers = await Promise.all(members.map(([path, body]) => post(path, body(one), call(path))));
      members.forEach(([path, body, allowed], i) => {
        expect(allowed, `${path} ${JSON.stringify(body(one))}: ${answers[i]?.text}`).toContain(answers[i]?.status);
      });
    }
    expect(await mailsTo(email, 0)).toEqual([]);
    for (const one of naughty)
      expect([200, 400]).toContain((await get(`/dev/mailbox?to=${encodeURIComponent(one.toWellFormed())}`)).status);
    const passwords = await Promise.all(
      naughty.slice(0, 8).map((one) => post("/auth/login", { email: newPerson().email, password: one })),
    );
    for (const answer of passwords) expect([400, 401]).toContain(answer.status);
  });

  it("as a label are stored as they are or refused", async () => {
    const label = "'; DROP TABLE factors; -- <b>\u202E👾</b>";
    const own = await signedIn(await verifiedPerson());
    const enrolment = await enrol(own.access, { label });
    if (enrolment.status !== 201) return expectProblem(enrolment, 400, "invalid_request");
    const app = new Authenticator(text(enrolment, "secret"));
    expect((await confirm(own.access, text(enrolment, "factor_id"), await app.next())).status).toBe(200);
    const listed = (await get("/auth/2fa", { bearer: own.access })).body.factors as Json[];
    expect(listed.map((factor) => factor.label)).toEqual([label]);
    expect((await send("GET", "/auth/2fa")).status).toBe(401);
  });
});
