import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { Authenticator } from "../../support/authenticator.ts";
import {
  answerChallenge,
  challenged,
  confirm,
  enrol,
  expectProblem,
  get,
  issuer,
  logIn,
  me,
  ownPage,
  post,
  refreshCookie,
  refreshed,
  type Session,
  send,
  sessionOf,
  sessionsOf,
  signedIn,
  signedInTwice,
  type TwoFactorPerson,
  text,
  twoFactorPerson,
  verifiedPerson,
  withFactor,
} from "../../support/client.ts";

const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", issuer));

describe("the first door", () => {
  let person: TwoFactorPerson;
  beforeAll(async () => {
    person = await twoFactorPerson();
  });

  it("gives exactly the challenge members: no token, no cookie, no session, no profile", async () => {
    const before = await sessionsOf(person.session.access);
    for (const headers of [{}, ownPage]) {
      const answer = await logIn(person, {}, { headers });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({
        status: "challenge",
        challenge_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
        expires_in: 300,
        methods: expect.arrayContaining(["totp"]),
      });
      // "methods lists only what the account can answer with"; recovery codes may have come with the first factor.
      const methods = answer.body.methods as string[];
      expect(methods.filter((method) => method !== "totp" && method !== "recovery_code")).toEqual([]);
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(answer.text).not.toContain(person.email);
    }
    expect((await sessionsOf(person.session.access)).length).toBe(before.length);
  });

  it("leads nowhere without the second: nothing that came back opens a session", async () => {
    const answer = await logIn(person, {}, { headers: ownPage });
    const cookie = answer.headers
      .getSetCookie()
      .map((line) => line.split(";")[0])
      .join("; ");
    const call = { headers: ownPage, ...(cookie === "" ? {} : { cookie }) };
    for (const [method, path] of [
      ["POST", "/auth/refresh"],
      ["GET", "/auth/sessions"],
      ["POST", "/auth/step-up"],
      ["GET", "/auth/me"],
    ] as const) {
      const next = await send(method, path, method === "POST" ? {} : undefined, call);
      expect([400, 401, 403], `${method} ${path}`).toContain(next.status);
      expect(next.text).not.toContain("access_token");
    }
  });

  it("hands out a token that is no access token: another type, audience and key", async () => {
    const token = await challenged(person);
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: "HS256", typ: "challenge+jwt" });
    expect(decodeJwt(token).aud).not.toBe(issuer);
    await expect(jwtVerify(token, keys)).rejects.toThrow();
    const { iat = 0, exp = 0 } = decodeJwt(token);
    if (iat !== 0) expect(exp - iat).toBe(300);
    expect(exp).toBeLessThanOrEqual(Date.now() / 1000 + 301);
  });
});

describe("credentials that cannot pass for one another", () => {
  let person: TwoFactorPerson;
  let session: Session;
  let challenge: string;
  beforeAll(async () => {
    person = await twoFactorPerson();
    session = sessionOf(await refreshed(person.session.refresh));
    challenge = await challenged(person);
  });

  it("a challenge or refresh token opens no signed-in route", async () => {
    const routes = [
      ["GET", "/auth/me"],
      ["GET", "/auth/2fa"],
      ["GET", "/auth/sessions"],
      ["DELETE", "/auth/sessions"],
      ["DELETE", `/auth/sessions/${session.id}`],
      ["POST", "/auth/step-up"],
      ["POST", "/auth/2fa/totp/enroll"],
      ["POST", "/auth/2fa/totp/confirm"],
    ] as const;
    for (const bearer of [challenge, session.refresh]) {
      for (const [method, path] of routes) {
        const body = path.endsWith("confirm") ? { factor_id: person.factorId, code: "123456" } : {};
        const answer = await send(method, path, method === "POST" ? body : undefined, { bearer });
        // The enrolment routes also take an enrolment token, so there either refusal is one of a malformed credential.
        expectProblem(answer, 401, path.includes("totp") ? ["invalid_token", "invalid_challenge"] : "invalid_token");
      }
    }
    expect((await me(session.access)).status).toBe(200);
  });

  it("a challenge or access token refreshes nothing", async () => {
    for (const token of [challenge, session.access]) {
      const answer = await refreshed(token);
      // "unknown" fits both readings of a text that has not even the shape of a refresh token.
      expectProblem(answer, answer.status === 400 ? 400 : 401, ["invalid_refresh_token", "invalid_request"]);
      const page = await post("/auth/refresh", {}, { headers: ownPage, cookie: `__Host-sallyport_rt=${token}` });
      expect([400, 401]).toContain(page.status);
      expect(page.text).not.toContain("access_token");
    }
  });

  it("an access or refresh token answers no challenge, and spends no code", async () => {
    const code = await person.authenticator.next();
    for (const token of [session.access, session.refresh, `${challenge}A`, `${challenge.slice(0, -4)}AAAA`, "a.b.c"]) {
      expectProblem(await answerChallenge(token, code), 401, "invalid_challenge");
    }
    expect(text(await answerChallenge(challenge, code), "status")).toBe("authenticated");
  });

  it("an access or refresh token verifies no address", async () => {
    for (const token of [challenge, session.access, session.refresh]) {
      expectProblem(await post("/auth/email/verify", { token, password: person.password }), 400, [
        "invalid_link",
        "invalid_request",
      ]);
    }
  });
});

describe("the second door", () => {
  it("gives the token answer, to a browser with the refresh token as a cookie", async () => {
    const person = await twoFactorPerson();
    const plain = await answerChallenge(await challenged(person), await person.authenticator.next());
    expect(Object.keys(plain.body).sort()).toEqual([
      "access_token",
      "expires_in",
      "refresh_expires_in",
      "refresh_token",
      "session_id",
      "status",
      "token_type",
    ]);
    expect(refreshCookie(plain)).toBeUndefined();
    const first = await logIn(person, { remember: true }, { headers: ownPage });
    const second = await answerChallenge(text(first, "challenge_token"), await person.authenticator.next(), {
      headers: ownPage,
    });
    expect(second.body.status).toBe("authenticated");
    expect(second.text).not.toContain("rt_");
    // "It carries what the request asked for (audience, remember, …)"
    expect(refreshCookie(second)?.attributes).toContain(`max-age=${14 * 86_400}`);
  });

  it("opens once: an answered challenge is dead", async () => {
    const person = await twoFactorPerson();
    const challenge = await challenged(person);
    expect((await answerChallenge(challenge, await person.authenticator.next())).status).toBe(200);
    expectProblem(await answerChallenge(challenge, await person.authenticator.next()), 401, "invalid_challenge");
  });

  it("does not open for somebody else's code, which counts against the challenge's account alone", async () => {
    const [ada, eve] = [await twoFactorPerson(), await twoFactorPerson()];
    const [challenge, evesChallenge] = [await challenged(ada), await challenged(eve)];
    const code = await eve.authenticator.next();
    const answer = await answerChallenge(challenge, code);
    expectProblem(answer, 401, "invalid_code");
    expect(answer.body.attempts_remaining).toBe(4);
    expect((await answerChallenge(evesChallenge, code)).status).toBe(200);
  });

  it("refuses members that would decide for the service, and spends nothing on them", async () => {
    const person = await twoFactorPerson();
    const challenge = await challenged(person);
    for (const extra of [
      { userId: "1" },
      { email: person.email },
      { verified: true },
      { mfa: false },
      { timestamp: 0 },
      { factor: "none" },
    ]) {
      const body = {
        challenge_token: challenge,
        method: "totp",
        code: person.authenticator.wrong(),
        ...extra,
      };
      expectProblem(await post("/auth/2fa/verify", body), 400, "invalid_request");
    }
    expectProblem(
      await post("/auth/2fa/verify", { challenge_token: challenge, method: "none", code: "123456" }),
      400,
      "invalid_request",
    );
    expectProblem(
      await post("/auth/2fa/verify", { challenge_token: challenge, code: "123456" }),
      400,
      "invalid_request",
    );
    expect((await answerChallenge(challenge, person.authenticator.wrong())).body.attempts_remaining).toBe(4);
  });

  it("closes for every open challenge when the account's factors change", async () => {
    // "killed by a later change": a factor that becomes active while a challenge is open.
    const person = await twoFactorPerson();
    const session = sessionOf(await refreshed(person.session.refresh));
    const challenge = await challenged(person);
    await withFactor(person, session);
    expectProblem(await answerChallenge(challenge, await person.authenticator.next()), 401, "invalid_challenge");
    expect((await signedInTwice(person)).id).not.toBe(session.id);
  });
});

describe("a factor that is not active", () => {
  it("neither asks for a second door nor opens one", async () => {
    const person = await verifiedPerson();
    const session = await signedIn(person);
    const enrolment = await enrol(session.access);
    const pending = new Authenticator(text(enrolment, "secret"));
    expect((await logIn(person)).body.status).toBe("authenticated");
    expect((await get("/auth/2fa", { bearer: session.access })).body.factors).toEqual([]);
    expectProblem(await confirm(session.access, text(enrolment, "factor_id"), pending.wrong()), 401, "invalid_code");
    expect((await logIn(person)).body.status).toBe("authenticated");
  });
});
