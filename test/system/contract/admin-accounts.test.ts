import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  challenged,
  distinguishable,
  expectProblem,
  logIn,
  mailsTo,
  me,
  newPerson,
  post,
  refreshed,
  type Session,
  sessionOf,
  signedIn,
  talkTo,
  verifiedPerson,
} from "../../support/client.ts";
import {
  changePassword,
  expectAllEnded,
  freshByPasskey,
  linkTokens,
  reset,
  resetLink,
} from "../../support/life-client.ts";
import {
  accountId,
  adminGet,
  adminPost,
  eventually,
  eventWith,
  type Known,
  knownPerson,
  minuteCron,
  operatorToken,
  says,
  talkToOperated,
} from "../../support/operator-client.ts";
import { factorsOf, signedInWithPasskey, signInByPasskey } from "../../support/passkey-client.ts";
import { fromElsewhere, mailedProof, withProof } from "../../support/proof-mode.ts";
import { nobody } from "../../support/recovery-client.ts";
import { sharedInstance } from "../../support/shared-instance.ts";
import { closeDoor, opensElsewhere } from "../../support/siege.ts";

let admin: Known;
beforeAll(async () => {
  ({ admin } = await talkToOperated());
}, 120_000);
afterAll(() => talkTo(sharedInstance()));

/** What an operator asks for about an account, with a fresh proof. */
async function act(person: { id: string }, what: string, body: unknown = {}): Promise<Answer> {
  return adminPost(`/users/${person.id}/${what}`, await operatorToken(admin), body);
}

/** The same, and it is done. What the minute cron does for it is done too. */
async function done(person: { id: string }, what: string, body: unknown = {}): Promise<Answer> {
  const answer = await act(person, what, body);
  expect(answer.status, answer.text).toBeLessThan(300);
  if (answer.status === 202) await minuteCron();
  return answer;
}

/** An event of this account arrives that names the operator. */
async function expectRecorded(person: { id: string }, word: RegExp): Promise<void> {
  const bearer = await operatorToken(admin);
  await eventWith(bearer, person.id, admin.id);
  const found = await eventually(`event of ${word}`, async () => {
    const { body } = await adminGet("/events", bearer);
    const events = body.events as Record<string, unknown>[];
    return events.find((event) => says(event, person.id) && says(event, admin.id) && word.test(JSON.stringify(event)));
  });
  expect(found).toBeDefined();
}

/** Sessions of an account, by each way in. */
const sessionsOf = async (person: Known): Promise<Session[]> => [
  sessionOf(await signInByPasskey(person.passkey)),
  await signedInWithPasskey(person),
];

describe.concurrent("an operator", { timeout: 120_000 }, () => {
  it("disables an account: nobody signs in, and every session is over; enables it, and they are still over", async () => {
    const person = await knownPerson();
    const before = await sessionsOf(person);
    const link = await resetLink(person);
    await done(person, "disable");
    await expectAllEnded(...before, person.session);
    const refused = await logIn(person);
    expectProblem(refused, 401, "sign_in_failed");
    const stranger = await logIn(newPerson());
    expect(distinguishable(refused)).toEqual(distinguishable(stranger));
    expect((await signInByPasskey(person.passkey)).status).toBe(401);
    const byLink = await reset(link);
    expect(byLink.body).not.toHaveProperty("access_token");
    expectProblem(await logIn(person), 401, "sign_in_failed");
    await expectRecorded(person, /disable/);

    await done(person, "enable");
    await expectAllEnded(...before);
    expect((await signInByPasskey(person.passkey)).body.status).toBe("authenticated");
    await expectRecorded(person, /enable/);
  });

  it("kills a challenge that is open when he disables or signs out", async () => {
    const [first, second] = [await knownPerson(), await knownPerson()];
    for (const [person, what] of [
      [first, "disable"],
      [second, "sign-out"],
    ] as const) {
      const challenge = await challenged(person);
      await done(person, what);
      expectProblem(await post("/auth/2fa/passkey/options", { challenge_token: challenge }), 401, "invalid_challenge");
    }
  });

  it("signs somebody out everywhere, who may sign in again", async () => {
    const person = await knownPerson();
    const before = await sessionsOf(person);
    const bystander = await signedIn(await verifiedPerson());
    await done(person, "sign-out");
    await expectAllEnded(...before, person.session);
    expect((await signInByPasskey(person.passkey)).body.status).toBe("authenticated");
    expect((await refreshed(bystander.refresh)).status).toBe(200);
    await expectRecorded(person, /sign.?out/);
  });

  it("gives and takes roles, which ends all sessions and counts at once", async () => {
    const person = await knownPerson();
    const before = await sessionsOf(person);
    await done(person, "roles", { roles: ["admin"] });
    await expectAllEnded(...before);
    const token = await freshByPasskey(person);
    expect((await me(token)).body.roles).toEqual(["admin"]);
    expect((await adminGet("/stats", token)).status).toBe(200);
    await expectRecorded(person, /roles/);
    await done(person, "roles", { roles: [] });
    expectProblem(await adminGet("/stats", token), 401, "invalid_token");
    const later = await freshByPasskey(person);
    expect((await me(later)).body.roles).toEqual([]);
    expectProblem(await adminGet("/stats", later), 403, "forbidden");
  });

  it("unlocks an address that everybody has to prove", async () => {
    const person = await verifiedPerson();
    const id = await accountId((await signedIn(person)).access);
    await closeDoor(person);
    await done({ id }, "unlock");
    expect(await opensElsewhere(person)).toBe("authenticated");
    await expectRecorded({ id }, /unlock/);
  });

  it("resets factors: they are gone, sessions too, the owner is told, and the next sign-in adds one", async () => {
    const person = await knownPerson();
    const before = await sessionsOf(person);
    const mails = (await mailsTo(person.email)).length;
    await done(person, "reset-factors");
    await expectAllEnded(...before);
    expect((await signInByPasskey(person.passkey)).status).toBe(401);
    expect((await mailsTo(person.email, mails + 1)).length).toBeGreaterThan(mails);
    const first = await fromElsewhere(person);
    const next = first.body.code === "proof_required" ? await withProof(person, await mailedProof(person)) : first;
    expect(next.body.status, next.text).toBe("enrolment_required");
    await expectRecorded(person, /reset/);
  });

  it("invites somebody, by mail", async () => {
    const stranger = newPerson();
    const answer = await adminPost("/users/invite", await operatorToken(admin), { email: stranger.email });
    expect(answer.status, answer.text).toBeLessThan(300);
    if (answer.status === 202) await minuteCron();
    const [token] = await linkTokens(stranger.email, "accept-invitation");
    const accepted = await post("/auth/invitation/accept", { token, password: stranger.password });
    expect(accepted.body, accepted.text).toEqual({ status: "verified" });
    expect((await logIn(stranger)).body.status).toBe("authenticated");
    const bearer = await operatorToken(admin);
    const event = await eventWith(bearer, admin.id, "invit");
    expect(says(event, stranger.email)).toBe(false);
  });

  it("learns of an account what he needs, and nothing that opens it", async () => {
    const person = await knownPerson();
    const answer = await adminGet(`/users?email=${encodeURIComponent(person.email)}`, await operatorToken(admin));
    expect(answer.status, answer.text).toBe(200);
    for (const known of [person.id, person.email, '"active"']) expect(answer.text).toContain(known);
    for (const secret of [person.password, "$argon2", "keyid", person.session.refresh])
      expect(answer.text).not.toContain(secret);
  });
});

describe("an operator's own account", { timeout: 120_000 }, () => {
  it("keeps its roles and its factors from its own operator", async () => {
    for (const [what, body] of [
      ["roles", { roles: [] }],
      ["roles", { roles: ["admin"] }],
      ["reset-factors", {}],
    ] as const)
      expectProblem(await act(admin, what, body), 403, "forbidden");
    const token = await operatorToken(admin);
    expect((await me(token)).body.roles).toEqual(["admin"]);
    expect(await factorsOf(token)).toHaveLength(1);
  });

  it("spends nothing on an account that does not exist, or a role that nobody knows", async () => {
    const person = await knownPerson();
    for (const what of ["disable", "enable", "sign-out", "reset-factors", "unlock"])
      expectProblem(await act({ id: nobody }, what), 404, "not_found");
    expectProblem(await act({ id: nobody }, "roles", { roles: ["admin"] }), 404, "not_found");
    for (const body of [{}, { roles: "admin" }, { roles: [1] }, { roles: ["admin"], id: person.id }])
      expectProblem(await act(person, "roles", body), 400, "invalid_request");
    expect((await me(person.session.access)).status).toBe(200);
  });

  it("who was disabled by another can do nothing more, and his role alone is no way round", async () => {
    const other = await knownPerson();
    await done(other, "roles", { roles: ["admin"] });
    const token = await freshByPasskey(other);
    expect((await adminGet("/stats", token)).status).toBe(200);
    await done(other, "disable");
    expectProblem(await adminGet("/stats", token), 401, "invalid_token");
    expectProblem(await adminPost(`/users/${admin.id}/disable`, token), 401, "invalid_token");
    expect((await changePassword(token, other)).status).toBe(401);
  });
});
