import { describe, expect, it } from "vitest";
import { challenged, distinguishable, expectProblem } from "../../support/client.ts";
import {
  answerByPasskey,
  type PasskeyPerson,
  passkeyPerson,
  securityKey,
  signedInWithPasskey,
  signInByPasskey,
  syncedPasskey,
} from "../../support/passkey-client.ts";

type Door = (person: PasskeyPerson, signCount: number) => ReturnType<typeof signInByPasskey>;
const doors: [string, Door][] = [
  ["without a user name", ({ passkey }, signCount) => signInByPasskey(passkey, { signCount })],
  [
    "as a second factor",
    async (person, signCount) => answerByPasskey(await challenged(person), person.passkey, { signCount }),
  ],
];

describe.concurrent.each(doors)("the counter of a key, %s", (_, signIn) => {
  it("must rise: equal, lower and none are refused like a wrong signature, and each sign-in moves it", async () => {
    const person = await passkeyPerson(securityKey(), { signCount: 10 });
    const refused = [
      await signIn(person, 10),
      await signIn(person, 9),
      await signIn(person, 1),
      await signIn(person, 0),
    ];
    for (const answer of refused) expectProblem(answer, 401, "invalid_code");
    const [first, ...others] = refused.map(distinguishable);
    for (const other of others) expect(other).toEqual(first);
    expect((await signIn(person, 11)).body.status).toBe("authenticated");
    for (const signCount of [11, 10]) expectProblem(await signIn(person, signCount), 401, "invalid_code");
    expect((await signIn(person, 4_294_967_295)).body.status).toBe("authenticated");
    expectProblem(await signIn(person, 12), 401, "invalid_code");
  });

  it("may stand at nothing for ever, and once it has moved never again", async () => {
    const person = await passkeyPerson(syncedPasskey(), { signCount: 0 });
    for (const signCount of [0, 0, 3]) expect((await signIn(person, signCount)).body.status).toBe("authenticated");
    for (const signCount of [0, 3]) expectProblem(await signIn(person, signCount), 401, "invalid_code");
    expect((await signIn(person, 4)).body.status).toBe("authenticated");
  });
});

describe("the counter of a key", () => {
  it("is one for both doors", async () => {
    const person = await passkeyPerson(securityKey(), { signCount: 1 });
    expect((await signInByPasskey(person.passkey, { signCount: 5 })).status).toBe(200);
    const second = await answerByPasskey(await challenged(person), person.passkey, { signCount: 5 });
    expectProblem(second, 401, "invalid_code");
    await signedInWithPasskey(person, { signCount: 6 });
    expectProblem(await signInByPasskey(person.passkey, { signCount: 6 }), 401, "invalid_code");
  });

  it("does not move for an assertion that was refused", async () => {
    const person = await passkeyPerson(securityKey(), { signCount: 1 });
    for (const edits of [{ flags: { up: false } }, { clientData: { origin: "https://evil.example" } }]) {
      expectProblem(await signInByPasskey(person.passkey, { ...edits, signCount: 1_000 }), 401, "invalid_code");
    }
    expect((await signInByPasskey(person.passkey, { signCount: 2 })).body.status).toBe("authenticated");
  });
});
