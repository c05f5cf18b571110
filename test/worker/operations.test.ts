import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { APPROVAL_TTL_MS, OPERATIONS_A_MINUTE } from "../../src/policy.ts";
import { call, logIn, newGuardedPerson, newPerson, type Person } from "../support/in-worker.ts";
import { ask, operation, resultOf, runMinute } from "./support/operations.ts";

const TWO_PERSONS = { ...env, TWO_PERSON_RESET: "on" };

/** What the second operator's command does. Nothing when the table does not let it. */
const approve = (id: string, by: string) =>
  env.DB.prepare("UPDATE operations SET approved_by = ? WHERE id = ? RETURNING id")
    .bind(by, id)
    .first()
    .catch(() => null);

/** What the password of this account opens, or why it opens nothing. */
async function opens(person: Person): Promise<unknown> {
  const { body } = await logIn(person);
  return body.code ?? body.status;
}

describe("a reset of factors", () => {
  it.each(["email", "id"] as const)("is executed at the word of one operator, who names the %s", async (name) => {
    const person = await newGuardedPerson();
    const id = await ask("reset_factors", { account: person[name] });
    expect(await opens(person)).toBe("challenge");
    await runMinute();
    expect(await resultOf(id)).toEqual({ kind: "factors_removed" });
    // Neither a challenge, since there is nothing to answer it with, nor a session.
    expect(["enrolment_required", "proof_required"]).toContain(await opens(person));
  });

  it("waits for a second operator where two are demanded", async () => {
    const person = await newGuardedPerson();
    const id = await ask("reset_factors", { account: person.email }, { by: "ada" });
    await runMinute(Date.now(), TWO_PERSONS);
    expect(await operation(id)).toMatchObject({ state: "waiting", attempts: 0 });
    expect(await opens(person)).toBe("challenge");
    await approve(id, "grace");
    await runMinute(Date.now(), TWO_PERSONS);
    expect(await resultOf(id)).toEqual({ kind: "factors_removed" });
  });

  it("is never approved by who has asked for it", async () => {
    const person = await newGuardedPerson();
    const id = await ask("reset_factors", { account: person.email }, { by: "ada" });
    expect(await approve(id, "ada")).toBeNull();
    await runMinute(Date.now(), TWO_PERSONS);
    expect(await operation(id)).toMatchObject({ state: "waiting" });
  });

  it("lapses when nobody has approved it for a day, and cannot be approved then", async () => {
    const person = await newGuardedPerson();
    const at = Date.now();
    const id = await ask("reset_factors", { account: person.email }, { by: "ada", at });
    await runMinute(at + APPROVAL_TTL_MS - 1, TWO_PERSONS);
    expect((await operation(id)).state).toBe("waiting");
    await runMinute(at + APPROVAL_TTL_MS, TWO_PERSONS);
    expect(await operation(id)).toMatchObject({ state: "lapsed", payload: "" });
    await approve(id, "grace");
    await runMinute(at + APPROVAL_TTL_MS, TWO_PERSONS);
    expect((await operation(id)).state).toBe("lapsed");
    expect(await opens(person)).toBe("challenge");
  });

  it("does not keep others from being executed while it waits", async () => {
    const waiting = await ask("reset_factors", { account: (await newGuardedPerson()).email });
    const other = await ask("import_key", {});
    await runMinute(Date.now(), TWO_PERSONS);
    expect([(await operation(waiting)).state, (await operation(other)).state]).toEqual(["waiting", "done"]);
    await approve(waiting, "grace");
    await runMinute();
  });

  it("says that there is no such account", async () => {
    const id = await ask("reset_factors", { account: "nobody@example.com" });
    await runMinute();
    expect(await resultOf(id)).toMatchObject({ refused: "unknown_account" });
  });
});

describe("an invitation", () => {
  it("is mailed, and what it was asked with is gone", async () => {
    const email = `guest.${crypto.randomUUID()}@example.com`;
    const id = await ask("invite", { email });
    await runMinute();
    expect(await resultOf(id)).toEqual({ kind: "invited" });
    expect((await operation(id)).payload).toBe("");
    const { body } = await call(`/dev/mailbox?to=${encodeURIComponent(email)}`);
    expect(JSON.stringify(body)).toContain("/accept-invitation#token=");
  });

  it("of somebody who has an account is refused", async () => {
    const id = await ask("invite", { email: (await newPerson()).email });
    await runMinute();
    expect(await resultOf(id)).toEqual({ refused: "address_taken" });
  });
});

it("executes a few a minute, the oldest first", async () => {
  const ids = [];
  for (let count = 0; count < OPERATIONS_A_MINUTE + 1; count += 1) ids.push(await ask("import_key", {}));
  await runMinute();
  const states = await Promise.all(ids.map(async (id) => (await operation(id)).state));
  expect(states).toEqual([...Array(OPERATIONS_A_MINUTE).fill("done"), "waiting"]);
  await runMinute();
});

it("executes an emergency drop before all that waits", async () => {
  const waiting: string[] = [];
  for (let count = 0; count <= OPERATIONS_A_MINUTE; count += 1) waiting.push(await ask("list_keys", {}));
  const drop = await ask("drop_key", { key: "all" });
  await runMinute();
  expect(await operation(drop)).toMatchObject({ state: "done" });
  expect((await Promise.all(waiting.map(operation))).filter(({ state }) => state === "waiting")).toHaveLength(2);
  await runMinute();
});
