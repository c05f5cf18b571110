import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { readMailbox } from "../../src/mail/mailbox.ts";
import { call, logIn, newGuardedPerson, newPerson, type Person } from "../support/in-worker.ts";
import { changeGuard, guardOf } from "./support/account.ts";
import { freshBearer, userOf } from "./support/account-life.ts";
import { actOn, actsOn, eventsOf, newAdmin, setRoles } from "./support/admin.ts";
import { brokenAt } from "./support/broken-stores.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { ask, runMinute } from "./support/operations.ts";

useMovedClock();

const TWO_PERSONS = { ...env, TWO_PERSON_RESET: "on" };

const opens = async (person: Person) => {
  const { body } = await logIn(person);
  return body.code ?? body.status;
};

describe("roles", () => {
  it("are in the next token, in the directory, and told", async () => {
    const [admin, person] = [await newAdmin(), await newGuardedPerson()];
    const changed = await actOn(admin, person, "roles", { roles: ["editor", "editor", "billing:read"] });
    expect(changed.body).toEqual({ status: "roles_changed", roles: ["editor", "billing:read"] });
    expect((await userOf(person))?.roles).toEqual(["editor", "billing:read"]);
    const mails = readMailbox(person.email)[0]?.text;
    const { body } = await call("/auth/me", undefined, { bearer: await freshBearer(person) });
    expect(body.roles).toEqual(["editor", "billing:read"]);
    expect(mails).toContain("editor, billing:read");
    const kinds = (await eventsOf(person)).filter(({ account, actor }) => account === person.id && actor === admin.id);
    expect(kinds.map(({ kind, about }) => [kind, about?.roles])).toEqual([
      ["authz_admin", "editor billing:read"],
      ["privilege_permissions_changed", "editor billing:read"],
    ]);
  });

  it.each([
    [{}, "roles"],
    [{ roles: "admin" }, "roles"],
    [{ roles: [1] }, "roles.0"],
    [{ roles: ["ok", "no role"] }, "roles.1"],
    [{ roles: ["Admin"] }, "roles.0"],
    [{ roles: [""] }, "roles.0"],
    [{ roles: ["x".repeat(65)] }, "roles.0"],
    [{ roles: Array.from({ length: 17 }, (_, at) => `role${at}`) }, "roles"],
  ])("%j is malformed at %s", async (body, path) => {
    const [admin, person] = [await newAdmin(), await newPerson()];
    const answered = await actOn(admin, person, "roles", body);
    expect(answered.body).toMatchObject({ code: "invalid_request", errors: [{ path }] });
    expect((await userOf(person))?.roles).toEqual([]);
  });

  it("make an admin only of whom the command would make one", async () => {
    const [admin, plain, guarded] = [await newAdmin(), await newPerson(), await newGuardedPerson()];
    const refused = await actOn(admin, plain, "roles", { roles: ["admin"] });
    expect(refused.body).toMatchObject({ status: 409, code: "conflict", reason: "needs_factor" });
    expect((await actOn(admin, guarded, "roles", { roles: ["admin"] })).status).toBe(200);
    const bearer = await freshBearer(guarded);
    expect((await call("/admin/api/stats", undefined, { bearer })).status).toBe(200);
    // The role that is there already is not asked about again.
    await setRoles(plain, ["admin"]);
    expect((await actOn(admin, plain, "roles", { roles: ["admin", "editor"] })).status).toBe(200);
  });
});

describe("unlock", () => {
  it("ends proof mode and opens closed factors, and gives back no attempt of this hour", async () => {
    const [admin, person] = [await newAdmin(), await newGuardedPerson()];
    const spent = Array<number>(10).fill(Date.now());
    await changeGuard(person, (guard) => {
      guard.streaks = { failures: 50, abandoned: 9, byMethod: { totp: 100 } };
      guard.attempts.unrecognised = spent;
    });
    expect(await opens(person)).toBe("proof_required");
    const found = await call(`/admin/api/users?email=${encodeURIComponent(person.email)}`, undefined, {
      bearer: admin.bearer,
    });
    expect(found.body).toMatchObject({ asks_for_proof: true, closed_methods: ["totp"] });
    await actOn(admin, person, "unlock");
    expect(await opens(person)).toBe("challenge");
    const { streaks, attempts } = await guardOf(person);
    expect([streaks, attempts.unrecognised]).toEqual([{ failures: 0, abandoned: 0, byMethod: {} }, spent]);
  });

  it("lets the password alone add no factor where the factors were reset", async () => {
    const [admin, person] = [await newAdmin(), await newGuardedPerson()];
    await actOn(admin, person, "reset-factors");
    await actOn(admin, person, "unlock");
    expect(await opens(person)).toBe("proof_required");
  });

  it("lets the address be tried again from where it was guessed at", async () => {
    const [admin, person] = [await newAdmin(), await newPerson()];
    const source = "198.51.100.7";
    for (let tries = 0; tries < 6; tries += 1) await logIn({ ...person, password: "not the password" }, { source });
    expect((await logIn(person, { source })).body.code).toBe("too_many_attempts");
    await actOn(admin, person, "unlock");
    expect((await logIn(person, { source })).body.status).toBe("authenticated");
  });
});

it("a reset tells the owner when it was, and not where the admin is", async () => {
  const [admin, person] = [await newAdmin(), await newGuardedPerson()];
  await actOn(admin, person, "reset-factors");
  const [mail] = readMailbox(person.email);
  expect(mail?.subject).toContain("second factors");
  expect(mail?.text).toContain("by those who run this service");
  expect(mail?.text).not.toContain("from the network");
});

describe("a reset that takes two", () => {
  it("waits for another admin, whoever asks first, and is executed once", async () => {
    const [ada, grace, person] = [await newAdmin(), await newAdmin(), await newGuardedPerson()];
    const first = await actOn(ada, person, "reset-factors", {}, TWO_PERSONS);
    expect(first.status).toBe(202);
    expect(first.body).toMatchObject({ status: "approval_required", operation_id: expect.any(String) });
    const again = await actOn(ada, person, "reset-factors", {}, TWO_PERSONS);
    expect(again.body).toEqual(first.body);
    await runMinute(Date.now(), TWO_PERSONS);
    expect(await opens(person)).toBe("challenge");
    expect((await actOn(grace, grace, "reset-factors", {}, TWO_PERSONS)).body.code).toBe("forbidden");
    const second = await actOn(grace, person, "reset-factors", {}, TWO_PERSONS);
    expect(second.body).toEqual({ status: "factors_removed" });
    expect(["enrolment_required", "proof_required"]).toContain(await opens(person));
    await runMinute(Date.now() + 120 * SECOND, TWO_PERSONS);
    const events = await actsOn(person);
    expect(events.map(({ actor, reason, about }) => [actor, reason, about?.requested_by])).toEqual([
      [ada.id, "reset_factors_requested", undefined],
      [grace.id, "reset_factors", ada.id],
    ]);
    const row = await env.DB.prepare("SELECT state, approved_by FROM operations WHERE id = ?")
      .bind(first.body.operation_id)
      .first();
    expect(row).toEqual({ state: "done", approved_by: grace.id });
  });

  it("is one with that of an operator's command, by address or by id", async () => {
    for (const name of ["email", "id"] as const) {
      const [admin, person] = [await newAdmin(), await newGuardedPerson()];
      const id = await ask("reset_factors", { account: person[name] }, { by: "ada" });
      const { body } = await actOn(admin, person, "reset-factors", {}, TWO_PERSONS);
      expect(body).toEqual({ status: "factors_removed" });
      const row = await env.DB.prepare("SELECT state, approved_by FROM operations WHERE id = ?").bind(id).first();
      expect(row).toEqual({ state: "done", approved_by: admin.id });
    }
  });

  it("lapses after a day, and two who ask at once are two words", async () => {
    const [ada, grace, person] = [await newAdmin(), await newAdmin(), await newGuardedPerson()];
    const asked = await Promise.all([ada, grace].map((one) => actOn(one, person, "reset-factors", {}, TWO_PERSONS)));
    expect(asked.map(({ body }) => body.status).sort()).toEqual(["approval_required", "factors_removed"]);
    const other = await newGuardedPerson();
    const { body } = await actOn(ada, other, "reset-factors", {}, TWO_PERSONS);
    pass(86_400 * SECOND);
    const bearer = await freshBearer(grace);
    const later = await actOn({ ...grace, bearer }, other, "reset-factors", {}, TWO_PERSONS);
    expect(later.body.status).toBe("approval_required");
    expect(later.body.operation_id).not.toBe(body.operation_id);
  });

  it("that breaks off after its approval is carried out by the cron", async () => {
    const [ada, grace, person] = [await newAdmin(), await newAdmin(), await newGuardedPerson()];
    await actOn(ada, person, "reset-factors", {}, TWO_PERSONS);
    const { bindings } = brokenAt({ at: "resetFactors", when: "before", dies: true });
    await actOn(grace, person, "reset-factors", {}, { ...bindings, TWO_PERSON_RESET: "on" });
    expect((await guardOf(person)).life.mustEnrol).toBeUndefined();
    await runMinute(Date.now() + 61 * SECOND, TWO_PERSONS);
    expect((await guardOf(person)).life.mustEnrol).toBe(true);
    expect((await actsOn(person)).at(-1)).toMatchObject({ actor: grace.id, about: { requested_by: ada.id } });
  });
});
