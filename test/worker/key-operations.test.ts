import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import worker from "../../src/index.ts";
import type { KeyList } from "../../src/keys/key-list.ts";
import { OPERATION_ATTEMPTS, OPERATION_LAPSE_MS } from "../../src/policy.ts";
import { call, logIn, newGuardedPerson, refresh, ring, signIn } from "../support/in-worker.ts";
import { storedRing, storeRing } from "../support/stored-ring.ts";
import { ask, operation, resultOf, runMinute } from "./support/operations.ts";

/** Has an operation begun again, as one whose end was lost. */
async function interrupt(id: string): Promise<void> {
  await env.DB.prepare("UPDATE operations SET state = 'waiting', result = NULL, payload = ?, begun_at = ? WHERE id = ?")
    .bind(payloads.get(id), Date.now() - OPERATION_LAPSE_MS - 1, id)
    .run();
}

const payloads = new Map<string, string>();

/** Asks, has it executed, and says what came of it. */
async function executed<T>(kind: Parameters<typeof ask>[0], payload: object): Promise<{ id: string; result: T }> {
  const id = await ask(kind, payload);
  payloads.set(id, JSON.stringify(payload));
  await runMinute();
  return { id, result: await resultOf<T>(id) };
}

const kidIn = async (wanted: string) => (await storedRing()).signing.find(({ state }) => state === wanted)?.kid ?? "";

describe("keys list", () => {
  it("names every key and shows none", async () => {
    await ring();
    const { result } = await executed<KeyList>("list_keys", {});
    const { signing, data } = await storedRing();
    expect(result).toMatchObject({ kind: "keys", epoch: 1, not_before: 0, sealed_by: "first", root_secrets: 1 });
    expect(result.keys).toHaveLength(signing.length + data.length);
    const text = JSON.stringify(result);
    for (const secret of [...signing.map(({ jwk }) => jwk.d), ...data.map((key) => key.secret), env.ROOT_SECRET]) {
      expect(secret).toBeTruthy();
      expect(text).not.toContain(secret);
    }
  });
});

describe("keys rotate", () => {
  it("waits for the lead, and says when it is over", async () => {
    const next = await kidIn("next");
    const { id, result } = await executed("rotate_key", { purpose: "signing" });
    const createdAt = (await storedRing()).signing.find(({ kid }) => kid === next)?.createdAt ?? 0;
    expect(result).toEqual({ kind: "waits", key: next, at: createdAt + 86_400_000 });
    await interrupt(id);
    await runMinute();
    expect(await resultOf(id)).toEqual(result);
    expect(await kidIn("next")).toBe(next);
  });

  it("of a key that was published long ago is done at once, and once", async () => {
    const at = Date.now() + 20 * 60_000;
    const [first, again] = [await ask("rotate_key", { purpose: "link" }), at + OPERATION_LAPSE_MS + 1];
    payloads.set(first, JSON.stringify({ purpose: "link" }));
    await runMinute(at);
    expect(await resultOf(first)).toMatchObject({ kind: "rotated", key: "link.2" });
    await interrupt(first);
    await runMinute(again);
    expect(await resultOf(first)).toMatchObject({ kind: "rotated", key: "link.2" });
    expect((await ring()).active("link").id).toBe(2);
  });

  it.each([
    [{ purpose: "digest" }, "never_rotated"],
    [{ purpose: "session" }, "unknown_purpose"],
    [{}, "unknown_purpose"],
    [{ purpose: 7 }, "unknown_purpose"],
  ])("of %j is refused", async (payload, refused) => {
    expect((await executed("rotate_key", payload)).result).toEqual({ refused });
  });
});

describe("keys drop", () => {
  it("ends every session, challenge and access token of before, and lets people sign in again", async () => {
    const person = await newGuardedPerson();
    const session = (await signIn(person, 0)).body;
    const challenge = (await logIn(person)).body.challenge_token as string;
    const bearer = String(session.access_token);
    expect((await call("/auth/me", undefined, { bearer })).status).toBe(200);
    const { kid } = (await ring()).signing;
    const { result } = await executed("drop_key", { key: kid });
    expect(result).toMatchObject({ kind: "dropped", key: kid, epoch: 2 });
    expect((await call("/auth/me", undefined, { bearer })).status).toBe(401);
    expect((await refresh(session.refresh_token)).status).toBe(401);
    const answer = { challenge_token: challenge, method: "totp", code: person.code(1) };
    expect((await call("/auth/2fa/verify", answer)).body.code).toBe("invalid_challenge");
    const { body } = await call("/.well-known/jwks.json");
    expect((body.keys as { kid: string }[]).map((key) => key.kid)).not.toContain(kid);
    expect((await signIn(person, 1)).status).toBe(200);
  });

  it("that is begun again drops no second key", async () => {
    const { id, result } = await executed("drop_key", { key: await kidIn("active") });
    const after = await storedRing();
    for (let time = 0; time < 2; time += 1) {
      await interrupt(id);
      await runMinute();
      expect(await resultOf(id)).toEqual(result);
    }
    expect(await storedRing()).toEqual(after);
  });

  it.each([
    [{ key: "pepper.1" }, "never_dropped"],
    [{ key: "nothing" }, "unknown_key"],
    [{}, "unknown_key"],
  ])("of %j is refused", async (payload, refused) => {
    const before = await storedRing();
    expect((await executed("drop_key", payload)).result).toEqual({ refused });
    expect(await storedRing()).toEqual(before);
  });
});

it("keys rewrap says what version the ring has", async () => {
  const { version } = await storedRing();
  expect((await executed("rewrap_keys", {})).result).toEqual({ kind: "rewrapped", version });
});

describe("an operation that this version does not know", () => {
  it("fails, and keeps none that comes after it from being executed", async () => {
    const strange = await ask("burn_keys" as "list_keys", {});
    const known = await ask("list_keys", {});
    await runMinute();
    expect(await resultOf(strange)).toEqual({ failed: expect.stringContaining("knows no such operation") });
    expect(await resultOf(known)).toMatchObject({ kind: "keys" });
    expect(await operation(strange)).toMatchObject({ state: "done", payload: "" });
  });

  it("or cannot read is given up after a few times", async () => {
    const id = await ask("drop_key", {});
    await env.DB.prepare("UPDATE operations SET payload = '{' WHERE id = ?").bind(id).run();
    const now = Date.now();
    for (let time = 0; time <= OPERATION_ATTEMPTS; time += 1)
      await runMinute(now + time * (OPERATION_LAPSE_MS + 60_000));
    expect(await resultOf(id)).toHaveProperty("failed");
  });
});

it("the cron trigger turns what is due by the setting, and writes the copy", async () => {
  const before = await kidIn("active");
  const days = 31 * 86_400_000;
  const { signing, data, version } = await storedRing();
  await storeAged(days);
  const trigger = async (bindings: object) => {
    const context = createExecutionContext();
    await worker.scheduled(createScheduledController(), bindings as Env, context);
    await waitOnExecutionContext(context);
  };
  await trigger({ ...env });
  expect(await kidIn("active")).toBe(before);
  await trigger({ ...env, KEY_ROTATION_DAYS: "30" });
  expect(await kidIn("active")).not.toBe(before);
  expect((await storedRing()).signing).toHaveLength(signing.length + 1);
  expect((await storedRing()).data.length).toBeGreaterThan(data.length);
  expect(await env.KV.get<{ version: number }>("key-ring", "json")).toMatchObject({ version: version + 2 });
});

/** Makes every key of the stored ring older. */
async function storeAged(ms: number): Promise<void> {
  const record = await storedRing();
  const aged = <K extends { createdAt: number; activeAt?: number }>(key: K): K => ({
    ...key,
    createdAt: key.createdAt - ms,
    ...(key.activeAt === undefined ? {} : { activeAt: key.activeAt - ms }),
  });
  await storeRing({
    ...record,
    version: record.version + 1,
    signing: record.signing.map(aged),
    data: record.data.map(aged),
  });
}
