import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Authenticator } from "../../support/authenticator.ts";
import {
  type Answer,
  expectProblem,
  logIn,
  post,
  refreshed,
  sessionsOf,
  type TwoFactorPerson,
  text,
  twoFactorPerson,
} from "../../support/client.ts";
import {
  logInBound,
  meBound,
  type ProvenCall,
  postProven,
  proofFor,
  refreshedBound,
  thumbprintOf,
} from "../../support/dpop-client.ts";
import { expectNoTokens, pendingApp } from "../../support/enrolment.ts";
import { type Es256Key, newEs256Key } from "../../support/es256-jws.ts";
import { mailedProof } from "../../support/proof-mode.ts";
import { leaveServices, resetFactors, talkToServices } from "../../support/service-clients.ts";

const ENROL = "/auth/2fa/totp/enroll";
const CONFIRM = "/auth/2fa/totp/confirm";
let person: TwoFactorPerson;
let [key, foreign]: Es256Key[] = [];
const mine = (): Es256Key => key as Es256Key;

beforeAll(async () => {
  await talkToServices();
  [person, key, foreign] = await Promise.all([twoFactorPerson(), newEs256Key(), newEs256Key()]);
  await resetFactors(person);
}, 120_000);
afterAll(leaveServices);

/** After a reset by an operator the account asks for its mailbox first. */
const mailbox = async () => ({ proof: { kind: "mail_link", token: await mailedProof(person) } });

/** What an enrolment token says when the key is missing, or another one. */
function expectProofRefused(answer: Answer): void {
  expect([400, 401], answer.text).toContain(answer.status);
  expectProblem(answer, answer.status, "invalid_dpop_proof");
  expectNoTokens(answer);
}

describe("an enrolment that was begun with a proof", () => {
  it("goes on with proofs of the same key, and ends in a session of that key", async () => {
    const login = await logInBound(mine(), person, await mailbox());
    expect(login.body.status, login.text).toBe("enrolment_required");
    const bearer = text(login, "enrolment_token");
    const send = (as: Es256Key | undefined, path: string, body: unknown, call: ProvenCall = {}) =>
      as === undefined ? post(path, body, { bearer }) : postProven(as, path, body, { bearer, ...call });
    for (const path of [ENROL, "/auth/2fa/passkeys/options"]) {
      expectProofRefused(await send(undefined, path, {}));
      expectProofRefused(await send(foreign, path, {}));
      expectProofRefused(await send(mine(), path, {}, { dpop: "proof" }));
    }
    const enrolled = await send(mine(), ENROL, {});
    expect(enrolled.status, enrolled.text).toBe(201);
    const code = await new Authenticator(text(enrolled, "secret")).next();
    const body = { factor_id: text(enrolled, "factor_id"), code };
    expectProofRefused(await send(undefined, CONFIRM, body));
    expectProofRefused(await send(foreign, CONFIRM, body));
    expectProofRefused(
      await send(mine(), CONFIRM, body, { dpop: await proofFor(mine(), { method: "POST", path: ENROL }) }),
    );
    const answer = await send(mine(), CONFIRM, body);
    expect(answer.body, answer.text).toMatchObject({ status: "active", token_type: "DPoP" });
    const access = text(answer, "access_token");
    expect(decodeJwt(access)).toMatchObject({ acr: "aal2", cnf: { jkt: await thumbprintOf(mine()) } });
    expect((await meBound(mine(), access)).status).toBe(200);
    expectProblem(await refreshed(text(answer, "refresh_token")), 400, "invalid_dpop_proof");
    expect((await refreshedBound(mine(), text(answer, "refresh_token"))).body.token_type).toBe("DPoP");
  });
});

describe("an enrolment that was begun without one", () => {
  it("goes on without, and ends in a session of no key", async () => {
    await resetFactors(person);
    const bearer = text(await logIn(person, await mailbox()), "enrolment_token");
    const pending = await pendingApp(bearer);
    const body = { factor_id: pending.factorId, code: await pending.authenticator.next() };
    const answer = await post(CONFIRM, body, { bearer });
    expect(answer.body, answer.text).toMatchObject({ status: "active", token_type: "Bearer" });
    expect(decodeJwt(text(answer, "access_token"))).not.toHaveProperty("cnf");
    expect((await sessionsOf(text(answer, "access_token"))).length).toBe(1);
  }, 120_000);
});
