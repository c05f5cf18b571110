import { describe, expect, it } from "vitest";
import { type Answer, challenged, distinguishable, expectProblem, post } from "../../support/client.ts";
import {
  coveredPerson,
  factorsOf,
  nobody,
  pendingApp,
  recoverySession,
  renameFactor,
} from "../../support/recovery-client.ts";

describe("a factor's label", () => {
  it("may be changed by any session of the account, and the answer is the factor as listed", async () => {
    const person = await coveredPerson();
    const recovery = await recoverySession(person);
    for (const [i, access] of [person.early, person.session.access, recovery.access].entries()) {
      const label = `Phone nº ${i}`;
      const answer = await renameFactor(access, person.factorId, { label });
      expect(answer.status, answer.text).toBe(200);
      expect(Object.keys(answer.body).sort()).toEqual(["created_at", "id", "kind", "label", "last_used_at"]);
      expect(answer.body).toMatchObject({ id: person.factorId, kind: "totp", label });
      expect((await factorsOf(access)).factors).toEqual([answer.body]);
    }
  });

  it("is the only thing that can be changed", async () => {
    const person = await coveredPerson();
    const before = (await factorsOf(person.session.access)).factors;
    for (const body of [
      {},
      { label: 1 },
      { label: null },
      { label: ["a"] },
      { label: "x".repeat(5_000) },
      { label: "Phone", kind: "passkey" },
      { label: "Phone", id: nobody },
      { label: "Phone", last_used_at: null },
      [],
    ]) {
      const answer = await renameFactor(person.session.access, person.factorId, body);
      expectProblem(answer, 400, "invalid_request");
    }
    expect((await factorsOf(person.session.access)).factors).toEqual(before);
  });

  it("of somebody else's factor, a pending one or one that never was cannot be changed, nor told apart", async () => {
    const [ada, eve] = [await coveredPerson(), await coveredPerson()];
    const pending = await pendingApp(ada.session.access);
    const answers: Answer[] = [];
    for (const id of [nobody, eve.factorId, pending.id]) {
      answers.push(await renameFactor(ada.session.access, id, { label: "Mine" }));
    }
    const [unknown, ...others] = answers.map(distinguishable);
    expectProblem(answers[0] as Answer, 404, "not_found");
    for (const other of others) expect(other).toEqual(unknown);
    expect((await factorsOf(eve.session.access)).factors[0]?.label).not.toBe("Mine");
    for (const id of ["'", "%00", "x".repeat(600), "__proto__", "%ff"]) {
      const answer = await renameFactor(ada.session.access, id, { label: "Mine" });
      expect([400, 404], `${id}: ${answer.text}`).toContain(answer.status);
    }
  });

  it("needs a living session", async () => {
    const person = await coveredPerson();
    const ended = await recoverySession(person);
    expect((await post("/auth/logout", { refresh_token: ended.refresh })).status).toBe(204);
    for (const access of ["a.b.c", await challenged(person), ended.access]) {
      expectProblem(await renameFactor(access, person.factorId, { label: "Mine" }), 401, "invalid_token");
    }
  });
});
