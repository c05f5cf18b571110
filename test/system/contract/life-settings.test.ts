import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser } from "../../support/browser.ts";
import {
  challenged,
  distinguishable,
  expectProblem,
  get,
  logIn,
  mailsTo,
  me,
  newPerson,
  type Person,
  post,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  expectPlain,
  freeze,
  freezeLink,
  linkTokens,
  resetByMail,
  resetChallenge,
  resetLink,
  startRecovery,
  waitingForRecovery,
  withPassword,
} from "../../support/life-client.ts";
import { OwnInstance } from "../../support/own-instance.ts";
import { type PasskeyOwner, passkeyOwner, trustedBrowser } from "../../support/owner.ts";
import { answerByPasskey, assertionFor } from "../../support/passkey-client.ts";
import { type CoveredPerson, coveredPerson } from "../../support/recovery-client.ts";

const instance = new OwnInstance();
afterAll(() => instance.end());

const trusted = (owner: PasskeyOwner): Promise<Browser> =>
  trustedBrowser(owner, async (challenge) => ({
    method: "passkey",
    response: await assertionFor(challenge, owner.passkey),
  }));

/** Accounts from before nobody could register any more: one without a factor, one with an authenticator app. */
let known: Person;
let covered: CoveredPerson;

describe("where browsers may be trusted", () => {
  beforeAll(async () => {
    await instance.start({ TRUSTED_BROWSER_DAYS: "30", RECOVERY_DELAY_HOURS: "24" });
    known = await verifiedPerson();
    covered = await coveredPerson();
  });

  it("a reset ends their trust", async () => {
    const owner = await passkeyOwner();
    const browser = await trusted(owner);
    expect((await browser.logIn(owner)).body.status).toBe("authenticated");
    expectPlain(await answerByPasskey(await resetChallenge(owner), owner.passkey), { status: "password_reset" });
    browser.forgetSession();
    expect((await browser.logIn(withPassword(owner))).body.status).toBe("challenge");
  });

  it("a freeze ends their trust, whoever gets the password back", async () => {
    const owner = await passkeyOwner();
    const token = await freezeLink(owner, owner.session.access);
    const browser = await trusted(withPassword(owner));
    expectPlain(await freeze(token), { status: "frozen" });
    expectPlain(await answerByPasskey(await resetChallenge(owner), owner.passkey), { status: "password_reset" });
    browser.forgetSession();
    expect((await browser.logIn(withPassword(owner))).body.status).toBe("challenge");
  });

  it("a session that trust opens during a recovery is told of it and cannot cancel it; one from before can", async () => {
    const owner = await passkeyOwner();
    const browser = await trusted(owner);
    const before = text(await browser.logIn(owner), "access_token");
    browser.forgetSession();
    const { finishAfter } = await waitingForRecovery(owner);
    expect(Math.abs(Date.parse(finishAfter) - Date.now() - 86_400_000)).toBeLessThan(3_600_000);
    const signIn = await browser.logIn(owner);
    expect(signIn.body.status, signIn.text).toBe("authenticated");
    expect(signIn.body.recovery).toEqual({ finish_after: finishAfter });
    const later = text(signIn, "access_token");
    const refused = await post("/auth/recovery/cancel", {}, { bearer: later });
    expect([400, 401, 403], refused.text).toContain(refused.status);
    expect((await me(later)).body.recovery).toEqual({ finish_after: finishAfter });
    expectPlain(await post("/auth/recovery/cancel", {}, { bearer: before }), { status: "recovery_cancelled" });
    expect((await me(later)).body).not.toHaveProperty("recovery");
  });
});

describe("where nobody registers without an invitation, and lost factors stay lost", () => {
  beforeAll(() => instance.start({ REGISTRATION: "invite", RECOVERY_DELAY_HOURS: "0" }));

  it("registering is answered as ever, for known and unknown addresses, and nobody is mailed", async () => {
    expect((await get("/auth/config")).body.registration).toBe("invite");
    const stranger = newPerson();
    const before = (await mailsTo(known.email, 0)).length;
    const answers = [];
    for (const { email } of [stranger, known]) {
      answers.push(await post("/auth/register", { email, password: stranger.password }));
    }
    for (const answer of answers) expectPlain(answer, { status: "verification_sent" }, 202);
    expect(new Set(answers.map((answer) => JSON.stringify(distinguishable(answer)))).size).toBe(1);
    const weak = await post("/auth/register", { email: stranger.email, password: "too short" });
    expectProblem(weak, 422, "weak_password");
    // A mail asked for later has arrived by then.
    await resetLink(covered);
    expect(await mailsTo(stranger.email, 0)).toEqual([]);
    expect((await mailsTo(known.email, 0)).length).toBe(before);
    expectProblem(await logIn(stranger), 401, "sign_in_failed");
  });

  it("accounts go on; saying that every factor is lost is answered as ever, and nothing comes of it", async () => {
    expectPlain(await startRecovery(covered), { status: "recovery_sent" }, 202);
    expectPlain(await startRecovery(newPerson()), { status: "recovery_sent" }, 202);
    expect((await logIn(await resetByMail(known))).body.status).toBe("authenticated");
    expect(await linkTokens(covered.email, "confirm-recovery", 0)).toEqual([]);
    expect(await challenged(covered)).toMatch(/\S/);
  });
});
