import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { AccountStore } from "../../../src/account/account-store.ts";
import { accountOf, call, newPerson, type Person } from "../../support/in-worker.ts";
import { freshBearer, move, resetLink, signInNow, userOf, waitForRecovery } from "../support/account-life.ts";
import { Browser } from "../support/browser.ts";
import { pass, SECOND, useMovedClock } from "../support/moved-clock.ts";
import { newArmedPerson } from "../support/passkeys.ts";

useMovedClock();

/** Every long string that an account object stores, but the names of things, which open nothing. */
async function secretsOf(person: Person): Promise<string[]> {
  const rows = await runInDurableObject(accountOf(person), (_, { storage }) => {
    const store = new AccountStore(storage.sql);
    const guard = store.guard();
    return [
      ...store.sessions().map(({ secretDigest }) => secretDigest),
      ...store.factors().map((factor) => (factor.kind === "totp" ? factor.sealedSecret : factor.credential.publicKey)),
      ...guard.recoveryCodes.digests,
      ...guard.browsers.flatMap(({ trust }) => trust?.id ?? []),
      ...guard.networks,
      guard.life.reset?.id,
      guard.life.recovery?.id,
      guard.life.undo?.id,
    ];
  });
  return rows.filter((one) => one !== undefined).map(String);
}

it("says all there is of an account, and nothing that opens it", async () => {
  const owner = await newArmedPerson();
  const { there: person } = await move(owner);
  const browser = new Browser();
  await signInNow(person, { browser, bindings: { ...env, TRUSTED_BROWSER_DAYS: "30" } });
  const bearer = await freshBearer(person);
  await resetLink(person);
  await waitForRecovery(person);
  const exported = await call("/auth/export", undefined, { bearer });
  const user = await userOf(person);
  expect(exported.body).toEqual({
    account: {
      id: person.id,
      email: person.email,
      email_verified: true,
      status: "active",
      roles: [],
      created_at: new Date(user?.createdAt ?? 0).toISOString(),
    },
    // Made in the same moment of a clock that stands still, so in any order.
    factors: expect.arrayContaining(["totp", "passkey"].map((kind) => expect.objectContaining({ kind }))),
    recovery_codes_remaining: 10,
    sessions: [expect.any(Object), expect.any(Object)],
    browsers: [expect.objectContaining({ trusted_until: null })],
    recovery: { finish_after: expect.any(String) },
  });
  const secrets = await secretsOf(person);
  expect(secrets.length).toBeGreaterThan(16);
  for (const secret of [...secrets, user?.password ?? "", String(user?.passwordVersion), person.password]) {
    if (secret.length > 8) expect(exported.text).not.toContain(secret);
  }
});

it("is for whoever has just proven to be the owner", async () => {
  const options = { bindings: { ...env, ACCESS_TOKEN_TTL: "600" } };
  const bearer = (await signInNow(await newPerson(), options)).body.access_token;
  pass(299 * SECOND);
  expect((await call("/auth/export", undefined, { ...options, bearer })).status).toBe(200);
  pass(SECOND);
  const late = await call("/auth/export", undefined, { ...options, bearer });
  expect([late.status, late.body.code]).toEqual([401, "insufficient_user_authentication"]);
  expect((await call("/auth/export")).body.code).toBe("invalid_token");
});
