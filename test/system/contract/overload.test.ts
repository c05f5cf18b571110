import { afterAll, beforeAll, expect, it } from "vitest";
import { expectProblem, get, logIn, newPerson, refreshed, signedIn, verifiedPerson } from "../../support/client.ts";
import { OwnInstance } from "../../support/own-instance.ts";

// Where a hash costs what it does in production.
const instance = new OwnInstance();
beforeAll(() => instance.start({}));
afterAll(() => instance.end());

it("more sign-ins than places for hashing are told to come back, while other routes answer", async () => {
  const session = await signedIn(await verifiedPerson());
  const flood = Array.from({ length: 48 }, () => logIn(newPerson(), {}, { patient: false }));
  const [keys, refresh] = await Promise.all([get("/.well-known/jwks.json"), refreshed(session.refresh)]);
  expect([keys.status, refresh.status]).toEqual([200, 200]);
  const answers = await Promise.all(flood);
  const refused = answers.filter((answer) => answer.status === 503);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused) {
    expectProblem(answer, 503, "unavailable");
    expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  }
  const served = answers.filter((answer) => answer.status !== 503);
  expect(served.length).toBeGreaterThan(0);
  for (const answer of served) expectProblem(answer, 401, "sign_in_failed");
});
