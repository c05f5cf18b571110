import { beforeAll, describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  expectProblem,
  get,
  type Json,
  logIn,
  newPerson,
  ordinaryLines,
  post,
  type Session,
  sendRaw,
  signedIn,
  type TwoFactorPerson,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";
import { wrongRecoveryCode } from "../../support/recovery-client.ts";

let session: Session;
let twoFactor: TwoFactorPerson;
let challenge: string;

beforeAll(async () => {
  session = await signedIn(await verifiedPerson());
  twoFactor = await twoFactorPerson();
  challenge = await challenged(twoFactor);
});

/** A well-formed body for every route that takes one. */
const bodies = (): [path: string, body: Json, bearer?: string][] => {
  const { email, password } = newPerson();
  return [
    ["/auth/register", { email, password }],
    ["/auth/login", { email, password }],
    ["/auth/email/verify", { token: "AAAA", password }],
    ["/auth/2fa/verify", { challenge_token: challenge, method: "totp", code: twoFactor.authenticator.wrong() }],
    ["/auth/2fa/verify", { challenge_token: challenge, method: "recovery_code", code: wrongRecoveryCode() }],
    ["/auth/refresh", { refresh_token: session.refresh }],
    ["/auth/logout", { refresh_token: session.refresh }],
    ["/auth/step-up", {}, session.access],
    ["/auth/2fa/totp/enroll", { label: "Phone" }, session.access],
    ["/auth/2fa/totp/confirm", { factor_id: "x", code: "123456" }, session.access],
    ["/auth/2fa/recovery-codes", {}, session.access],
    ["/auth/2fa/turn-off", {}, session.access],
  ];
};

const sendBody = (path: string, body: unknown, bearer?: string) =>
  post(path, body, bearer === undefined ? {} : { bearer });

describe("a body", () => {
  it("with a member nobody knows is refused on every route, before anything else happens", async () => {
    const extras: Json[] = [{ role: "admin" }, { email_verified: true }, { constructor: 1 }, { "": 1 }];
    for (const [path, body, bearer] of bodies()) {
      const start = JSON.stringify(body).slice(0, -1);
      const proto = `${start}${start === "{" ? "" : ","}"__proto__":{"role":"admin"}}`;
      const answers = await Promise.all(
        [...extras.map((extra) => ({ ...body, ...extra })), proto].map((sent) => sendBody(path, sent, bearer)),
      );
      for (const answer of answers) expectProblem(answer, 400, "invalid_request");
    }
  });

  it("of the wrong type is refused on every route, in every member", async () => {
    const wrong: unknown[] = [1, true, null, ["a", "b"], { $ne: "" }];
    for (const [path, body, bearer] of bodies()) {
      const whole = [null, true, 7, "text", [], [body]].map((value) => JSON.stringify(value));
      const members = Object.keys(body).flatMap((member) => wrong.map((value) => ({ ...body, [member]: value })));
      for (const sent of whole) {
        const answer = await sendBody(path, sent, bearer);
        expect({ path, sent, status: answer.status }).toEqual({ path, sent, status: 400 });
        expectProblem(answer, 400, "invalid_request");
      }
      const answers = await Promise.all(members.map((sent) => sendBody(path, sent, bearer)));
      answers.forEach(({ status, body: { code } }, i) => {
        const sent = members[i];
        expect({ path, sent, status, code }).toEqual({ path, sent, status: 400, code: "invalid_request" });
      });
    }
    for (const remember of ["true", 1, null])
      expectProblem(await logIn(newPerson(), { remember }), 400, "invalid_request");
  });

  it("without a required member is refused", async () => {
    for (const [path, body, bearer] of bodies()) {
      for (const member of Object.keys(body).filter((one) => one !== "label" && one !== "refresh_token")) {
        const { [member]: _, ...rest } = body;
        expectProblem(await sendBody(path, rest, bearer), 400, "invalid_request");
      }
    }
  });

  it("that names a member twice is refused, whichever spelling the name has", async () => {
    for (const [path, body, bearer] of bodies()) {
      const [member] = Object.keys(body);
      if (member === undefined) continue;
      const escaped = `\\u00${member.charCodeAt(0).toString(16)}${member.slice(1)}`;
      for (const name of [member, escaped]) {
        const twice = `{"${name}":${JSON.stringify(body[member])},${JSON.stringify(body).slice(1)}`;
        expectProblem(await sendBody(path, twice, bearer), 400, "invalid_request");
      }
    }
  });

  it("that is not JSON, or not UTF-8, is refused", async () => {
    const broken = [
      "",
      " ",
      "{",
      "{}}",
      "{'email':'x'}",
      '{"email":"x",}',
      '{"email":NaN}',
      "email=x",
      "// x\n{}",
      '{"email":"\u0001"}',
      "\u0000",
      "{}{}",
    ];
    for (const body of broken) expectProblem(await sendBody("/auth/login", body), 400, "invalid_request");
    for (const bytes of [
      Buffer.from([0x7b, 0xff, 0x7d]),
      Buffer.from('{"email":"é"}', "latin1"),
      Buffer.from('{"email":"x"}', "utf16le"),
    ]) {
      const lines: [string, string][] = [
        ...ordinaryLines(),
        ["Content-Type", "application/json"],
        ["Content-Length", String(bytes.length)],
      ];
      expectProblem(await sendRaw("POST", "/auth/login", lines, [bytes]), 400, "invalid_request");
    }
  });

  it("that breaks the schema says where, and never repeats a secret", async () => {
    const answers = [
      await post("/auth/login", { email: newPerson().email, password: ["canary-4711"] }),
      await post("/auth/login", { email: newPerson().email, password: { "canary-4711": 1 } }),
      await answerChallenge("canary-4711", "canary-4711"),
      await post("/auth/refresh", { refresh_token: ["canary-4711"] }),
      await post("/auth/email/verify", { token: ["canary-4711"], password: "canary-4711 x" }),
    ];
    for (const answer of answers) {
      expectProblem(answer, 400, "invalid_request");
      const errors = answer.body.errors as Json[];
      expect(errors.length).toBeGreaterThan(0);
      for (const error of errors) {
        expect(Object.keys(error).sort()).toEqual(["message", "path"]);
        expect(error.message).toMatch(/\S/);
      }
      expect(answer.text).not.toContain("canary-4711");
    }
  });

  it("spends no attempt and loses no session by being malformed", async () => {
    const wrong = await answerChallenge(challenge, twoFactor.authenticator.wrong());
    expect(wrong.body.attempts_remaining).toBe(4);
    expect((await get("/auth/me", { bearer: session.access })).status).toBe(200);
  });
});
