import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import { logIn, newPerson, type Person, ring } from "../support/in-worker.ts";

afterEach(() => vi.restoreAllMocks());

/** What a sign-in does: its storage calls, in any order, and how many password hashes it computes. */
async function workOf(person: Person) {
  const pepper = (await ring()).active("pepper").key;
  const sign = vi.spyOn(crypto.subtle, "sign");
  const counted = countingBindings();
  const { status } = await logIn(person, { bindings: counted.bindings });
  // Every hash ends with the pepper, so its uses count the hashes.
  const hashes = sign.mock.calls.filter(([, key]) => key === pepper).length;
  sign.mockRestore();
  return { status, hashes, storage: counted.names().sort() };
}

it("an unknown address, a wrong password, a disabled and a closed account cost the same work: one hash, the same calls", async () => {
  const person = await newPerson();
  const disabled = await newPerson();
  const closed = await newPerson();
  await env.DB.prepare("UPDATE users SET status = 'disabled' WHERE id = ?").bind(disabled.id).run();
  await env.DB.prepare("UPDATE users SET status = 'closed' WHERE id = ?").bind(closed.id).run();
  const wrong = await workOf({ ...person, password: "not the right password" });
  expect(wrong).toEqual({
    status: 401,
    hashes: 1,
    storage: ["d1.first", "gate.reserve", "gate.reserve", "gate.settle", "gate.settle"],
  });
  expect(await workOf({ ...person, email: "nobody.here@example.com" })).toEqual(wrong);
  expect(await workOf(disabled)).toEqual(wrong);
  expect(await workOf(closed)).toEqual(wrong);
});

it("a throttled try computes no hash at all, whether its password is right or wrong", async () => {
  const person = await newPerson();
  const source = "203.0.113.77";
  for (let i = 0; i < 5; i += 1) await logIn({ ...person, password: "not the right password" }, { source });
  const pepper = (await ring()).active("pepper").key;
  const sign = vi.spyOn(crypto.subtle, "sign");
  const right = await logIn(person, { source });
  const wrong = await logIn({ ...person, password: "not the right password" }, { source });
  expect(sign.mock.calls.filter(([, key]) => key === pepper)).toEqual([]);
  const shown = [right, wrong].map(({ status, text, body }) => ({
    status,
    text: text.replace(body.request_id as string, "-"),
  }));
  expect(shown[0]).toEqual(shown[1]);
  expect(right.status).toBe(429);
  expect(Number(right.headers.get("Retry-After"))).toBeLessThanOrEqual(30);
});
