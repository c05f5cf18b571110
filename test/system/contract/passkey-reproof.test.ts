import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Instance, startInstance } from "../../../scripts/instance.mjs";
import { expectProblem, me, refreshed, sessionOf, talkTo, text } from "../../support/client.ts";
import {
  answerByPasskey,
  answerWithPasskey,
  assertionFor,
  badSignature,
  passkeyPerson,
  signInByPasskey,
  usernamelessAssertion,
} from "../../support/passkey-client.ts";

/** Seconds: the shortest that the setting takes. */
const FACTOR_MAX_AGE = 60;

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance({ vars: { FACTOR_MAX_AGE: String(FACTOR_MAX_AGE) } });
  talkTo(instance.url);
});
afterAll(() => instance?.stop());

describe("a session whose passkey was proven too long ago", () => {
  it("goes on, with new proof, when the passkey answers; until then nothing of it has moved", async () => {
    const { passkey } = await passkeyPerson();
    const session = sessionOf(await signInByPasskey(passkey));
    const proven = Number(decodeJwt(session.access).auth_time);
    await sleep(proven * 1_000 + FACTOR_MAX_AGE * 1_000 + 1_100 - Date.now());
    const asked = await refreshed(session.refresh);
    expect(asked.body).toMatchObject({ status: "challenge", methods: expect.arrayContaining(["passkey"]) });
    expect(asked.text).not.toContain("access_token");
    const challenge = text(asked, "challenge_token");
    expectProblem(await answerWithPasskey(challenge, await usernamelessAssertion(passkey)), 401, "invalid_code");
    expectProblem(await answerByPasskey(challenge, passkey, badSignature), 401, "invalid_code");
    expect((await refreshed(session.refresh)).body.status).toBe("challenge");
    const again = text(await refreshed(session.refresh), "challenge_token");
    const answer = await answerWithPasskey(again, await assertionFor(again, passkey));
    expect(answer.body.status, answer.text).toBe("authenticated");
    const next = sessionOf(answer);
    expect(next.id).toBe(session.id);
    const claims = decodeJwt(next.access);
    expect(claims).toMatchObject({ sid: session.id, acr: "aal2", amr: ["swk", "user", "pop", "mfa"] });
    expect(Object.keys(claims.factors as object)).toEqual(["swk"]);
    expect(Number(claims.auth_time)).toBeGreaterThanOrEqual(proven + FACTOR_MAX_AGE);
    expect((await me(next.access)).status).toBe(200);
    expectProblem(await refreshed(session.refresh), 401, "invalid_refresh_token");
    expect((await refreshed(next.refresh)).body.status).toBe("authenticated");
  }, 90_000);
});
