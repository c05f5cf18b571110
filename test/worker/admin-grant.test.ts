import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { OperationKind } from "../../src/directory/operations.ts";
import { OPERATION_LAPSE_MS } from "../../src/policy.ts";
import { call, newGuardedPerson, newPerson, type Person } from "../support/in-worker.ts";
import { changeGuard, sessionIdsOf } from "./support/account.ts";
import { freshBearer, settledVersion, subjectsTo, userOf } from "./support/account-life.ts";
import { actsOn, eventsOf, setRoles } from "./support/admin.ts";
import { pass, useMovedClock } from "./support/moved-clock.ts";
import { ask, askImport, importKey, resultOf, runMinute } from "./support/operations.ts";

useMovedClock();

/** Asks for an operation on an account and has it executed. */
async function executed(kind: OperationKind, account: string, bindings: object = env): Promise<unknown> {
  const id = await ask(kind, { account }, { by: "ada" });
  await runMinute(Date.now(), bindings);
  return resultOf(id);
}

const setStatus = ({ id }: Person, column: "status" | "email_verified", value: unknown) =>
  env.DB.prepare(`UPDATE users SET ${column} = ? WHERE id = ?`).bind(value, id).run();

describe("a grant", () => {
  it.each(["email", "id"] as const)("makes an admin of a person named by %s, who signs in anew", async (name) => {
    const person = await newGuardedPerson();
    await setRoles(person, ["editor"]);
    const before = await freshBearer(person);
    expect(await executed("grant_admin", person[name])).toEqual({ kind: "granted", account: person.id });
    expect((await userOf(person))?.roles).toEqual(["editor", "admin"]);
    expect(await sessionIdsOf(person)).toEqual([]);
    expect((await call("/admin/api/stats", undefined, { bearer: before })).body.code).toBe("invalid_token");
    expect((await call("/admin/api/stats", undefined, { bearer: await freshBearer(person) })).status).toBe(200);
    expect(await actsOn(person)).toEqual([
      expect.objectContaining({
        actor: "ada",
        reason: "grant_admin",
        about: { before: "editor", roles: "editor admin" },
      }),
    ]);
    expect(subjectsTo(person.email)).toContainEqual(expect.stringContaining("may do was changed"));
    await settledVersion(person);
  });

  it("says what is missing, and does nothing then", async () => {
    const [plain, disabled, unverified] = [await newPerson(), await newGuardedPerson(), await newGuardedPerson()];
    await setStatus(disabled, "status", "disabled");
    await setStatus(unverified, "email_verified", 0);
    expect(await executed("grant_admin", plain.email)).toEqual({ refused: "no_factor_for_admins" });
    expect(await executed("grant_admin", disabled.email)).toEqual({ refused: "account_not_active" });
    expect(await executed("grant_admin", unverified.email)).toEqual({ refused: "email_unverified" });
    expect(await executed("grant_admin", "nobody@example.com")).toEqual({ refused: "unknown_account" });
    for (const person of [plain, disabled, unverified]) {
      expect((await userOf(person))?.roles).toEqual([]);
      expect(await actsOn(person)).toEqual([]);
    }
  });

  it("counts neither recovery codes nor a factor that is suspended nor, where passkeys alone count, an app", async () => {
    const [codes, app] = [await newPerson(), await newGuardedPerson()];
    await changeGuard(codes, (guard) => {
      guard.recoveryCodes = { keyId: 1, digests: ["d1"] };
    });
    expect(await executed("grant_admin", codes.email)).toEqual({ refused: "no_factor_for_admins" });
    for (const setting of [{ ADMIN_FACTOR: "passkey" }, { SECOND_FACTOR: "passkey" }]) {
      expect(await executed("grant_admin", app.email, { ...env, ...setting })).toEqual({
        refused: "no_factor_for_admins",
      });
    }
    expect(await executed("grant_admin", app.email)).toMatchObject({ kind: "granted" });
    expect(await executed("grant_admin", app.email)).toEqual({ refused: "already_admin" });
  });

  it("that is begun again has done its work", async () => {
    const person = await newGuardedPerson();
    const id = await ask("grant_admin", { account: person.email }, { by: "ada" });
    await runMinute();
    const version = await settledVersion(person);
    await env.DB.prepare("UPDATE operations SET state = 'waiting', result = NULL, payload = ? WHERE id = ?")
      .bind(JSON.stringify({ account: person.email }), id)
      .run();
    pass(OPERATION_LAPSE_MS + 1);
    await runMinute();
    expect(await resultOf(id)).toEqual({ kind: "granted", account: person.id });
    expect(await settledVersion(person)).toBe(version);
  });

  it("is taken back by a command, and only where there is one", async () => {
    const person = await newGuardedPerson();
    expect(await executed("revoke_admin", person.email)).toEqual({ refused: "not_an_admin" });
    await setRoles(person, ["admin", "editor"]);
    const bearer = await freshBearer(person);
    expect(await executed("revoke_admin", person.email)).toEqual({ kind: "revoked", account: person.id });
    expect((await userOf(person))?.roles).toEqual(["editor"]);
    expect((await call("/admin/api/stats", undefined, { bearer })).body.code).toBe("invalid_token");
    expect((await actsOn(person)).at(-1)).toMatchObject({ actor: "ada", reason: "revoke_admin" });
  });
});

describe("operators' commands on accounts", () => {
  it("close, open, sign out and unlock, and are events that name the operator", async () => {
    const person = await newGuardedPerson();
    expect(await executed("disable_account", person.email)).toEqual({ kind: "disabled" });
    expect(await executed("disable_account", person.email)).toEqual({ refused: "account_not_active_now" });
    expect((await userOf(person))?.status).toBe("disabled");
    expect(await executed("enable_account", person.id)).toEqual({ kind: "enabled" });
    expect(await executed("enable_account", person.id)).toEqual({ refused: "account_not_disabled" });
    await freshBearer(person);
    expect(await executed("sign_out_account", person.email)).toEqual({ kind: "signed_out" });
    expect(await sessionIdsOf(person)).toEqual([]);
    expect(await executed("unlock_account", person.email)).toEqual({ kind: "unlocked" });
    expect(await executed("unlock_account", "nobody@example.com")).toEqual({ refused: "unknown_account" });
    const acts = (await actsOn(person)).map(({ actor, reason }) => `${actor} ${reason}`);
    expect(acts).toEqual(["ada disable", "ada enable", "ada sign_out", "ada unlock"]);
  });

  it("on keys and invitations are events as well, and what was refused is none", async () => {
    const email = `guest.${crypto.randomUUID()}@example.com`;
    const invited = await ask("invite", { email }, { by: "ada" });
    const rotated = await ask("rotate_key", { purpose: "signing" }, { by: "ada" });
    const refused = await ask("rotate_key", { purpose: "digest" }, { by: "ada" });
    const imported = await askImport(await importKey(), [{ email: `imported.${email}` }, { email: 7 }]);
    await runMinute();
    const events = (await eventsOf()).filter(({ about }) =>
      [invited, rotated, refused, imported].includes(String(about?.operation)),
    );
    expect(events.map(({ kind, actor, reason }) => [kind, actor, reason])).toEqual([
      ["authz_admin", "ada", "invite"],
      ["authz_admin", "ada", "rotate_key"],
      ["authz_admin", "ada", "import_users"],
    ]);
    expect(JSON.stringify(events)).not.toContain(email);
  });
});
