import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEVICE, TRUST } from "../support/browser.ts";
import {
  answerChallenge,
  challenged,
  confirm,
  enrol,
  expectProblem,
  issuer,
  logIn,
  newPerson,
  ownPage,
  post,
  refreshed,
  send,
  sessionOf,
  type TwoFactorPerson,
  verifiedPerson,
} from "../support/client.ts";
import {
  enrolledPerson,
  enrolmentToken,
  expectEnrolmentRequired,
  expectNoTokens,
  pendingApp,
} from "../support/enrolment.ts";
import { OwnInstance } from "../support/own-instance.ts";
import { creation, creationOptions, syncedPasskey } from "../support/passkey-client.ts";
import { recover, wrongRecoveryCode } from "../support/recovery-client.ts";

const METHODS = ["totp", "passkey"];
const instance = new OwnInstance();
beforeAll(() => instance.start({ SECOND_FACTOR: "required" }));
afterAll(() => instance.end());

describe("an enrolment token", () => {
  let covered: TwoFactorPerson;
  beforeAll(async () => {
    covered = await enrolledPerson();
  });

  it("is no access token: another type, audience and key, for ten minutes", async () => {
    const token = await enrolmentToken(await verifiedPerson());
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: "HS256", typ: "enrolment+jwt" });
    const { aud, iat = 0, exp = 0 } = decodeJwt(token);
    expect(aud).not.toBe(issuer);
    expect(aud).not.toBe(decodeJwt(await challenged(covered)).aud);
    if (iat !== 0) expect(exp - iat).toBe(600);
    expect(exp).toBeLessThanOrEqual(Date.now() / 1000 + 601);
    const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", issuer));
    await expect(jwtVerify(token, keys)).rejects.toThrow();
  });

  it("opens no other route, while it lives", async () => {
    const token = await enrolmentToken(await verifiedPerson());
    const id = "00000000-0000-4000-8000-000000000000";
    const routes = [
      ["GET", "/auth/me"],
      ["POST", "/auth/step-up"],
      ["GET", "/auth/2fa"],
      ["PATCH", `/auth/2fa/factors/${id}`, { label: "x" }],
      ["DELETE", `/auth/2fa/factors/${id}`],
      ["POST", "/auth/2fa/turn-off"],
      ["POST", "/auth/2fa/recovery-codes"],
      ["GET", "/auth/sessions"],
      ["DELETE", "/auth/sessions"],
      ["DELETE", `/auth/sessions/${id}`],
      ["GET", "/auth/browsers"],
      ["DELETE", `/auth/browsers/${id}`],
    ] as const;
    for (const [method, path, body = method === "POST" ? {} : undefined] of routes) {
      const answer = await send(method, path, body, { bearer: token });
      expect({ method, path, code: answer.body.code }).toEqual({ method, path, code: "invalid_token" });
    }
    // Routes of the contract that may not be there yet: refused either way.
    for (const [method, path, body] of [
      ["GET", "/auth/activity"],
      ["GET", "/auth/export"],
      ["DELETE", "/auth/me"],
      ["POST", "/auth/password/change", { current_password: "x", new_password: "y" }],
      ["POST", "/auth/email/change", { new_email: newPerson().email }],
      ["GET", "/admin/api/events"],
    ] as const) {
      expect([401, 404, 405], path).toContain((await send(method, path, body, { bearer: token })).status);
    }
    expect((await enrol(token)).status).toBe(201);
  });

  it("is no other credential", async () => {
    const person = await verifiedPerson();
    const token = await enrolmentToken(person);
    const code = "123456";
    expectProblem(await answerChallenge(token, code), 401, "invalid_challenge");
    expectProblem(await recover(token, wrongRecoveryCode()), 401, "invalid_challenge");
    expectProblem(await post("/auth/2fa/passkey/options", { challenge_token: token }), 401, "invalid_challenge");
    expectNoTokens(await refreshed(token));
    expectNoTokens(await post("/auth/refresh", {}, { headers: ownPage, cookie: `__Host-sallyport_rt=${token}` }));
    expectProblem(await post("/auth/email/verify", { token, password: person.password }), 400, "invalid_link");
    expectProblem(await logIn(person, { proof: { kind: "mail_link", token } }), 400, "invalid_link");
    expectEnrolmentRequired(await logIn(person, {}, { cookie: `${DEVICE}=${token}; ${TRUST}=${token}` }), METHODS);
  });

  it("cannot be forged, nor replaced by another credential", async () => {
    const token = await enrolmentToken(await verifiedPerson());
    const { factorId } = await pendingApp(token);
    const [head = "", claims = "", signature = ""] = token.split(".");
    const middle = Math.floor(signature.length / 2);
    const flipped = signature.slice(0, middle) + (signature[middle] === "A" ? "B" : "A") + signature.slice(middle + 1);
    const response = await syncedPasskey().register(creation(await creationOptions(token)));
    const foreign = (await enrolmentToken(await verifiedPerson())).split(".");
    for (const bearer of [
      `${head}.${claims}.${flipped}`,
      `${head}.${foreign[1]}.${signature}`,
      `${head}.${claims}.`,
      "a.b.c",
      await challenged(covered),
      covered.session.refresh,
    ]) {
      for (const [path, body] of [
        ["/auth/2fa/totp/enroll", {}],
        ["/auth/2fa/totp/confirm", { factor_id: factorId, code: "123456" }],
        ["/auth/2fa/passkeys/options", {}],
        ["/auth/2fa/passkeys", { response }],
      ] as const) {
        const answer = await post(path, body, { bearer });
        expectProblem(answer, 401, ["invalid_token", "invalid_challenge"]);
        expectNoTokens(answer);
      }
    }
  });

  it("confirms nothing but what was enrolled with it", async () => {
    const [person, stranger] = [await verifiedPerson(), await verifiedPerson()];
    const [token, second] = [await enrolmentToken(person), await enrolmentToken(person)];
    const pending = await pendingApp(token);
    const code = await pending.authenticator.next();
    const own = await enrolmentToken(stranger);
    await pendingApp(own);
    for (const bearer of [second, own, sessionOf(await refreshed(covered.session.refresh)).access]) {
      const answer = await confirm(bearer, pending.factorId, code);
      expect([400, 401, 403, 404, 409], answer.text).toContain(answer.status);
      expectNoTokens(answer);
    }
    expect((await confirm(token, pending.factorId, code)).body.status).toBe("active");
  });
});
