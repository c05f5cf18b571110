import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { clientNetwork } from "../../src/gate/network.ts";
import { emailGate, sourceGate } from "../../src/gate/subjects.ts";
import { countingBindings } from "../support/counting.ts";
import {
  type Answer,
  addAuthenticator,
  answer,
  call,
  challengeOf,
  logIn,
  newGuardedPerson,
  newPerson,
  newSource,
  type Person,
  refresh,
  ring,
} from "../support/in-worker.ts";
import { rowsWritten } from "../support/rows-written.ts";
import { linkTo, NEW_PASSWORD, reset, resetLink, startRecovery, verifyEmail } from "./support/account-life.ts";
import { Browser } from "./support/browser.ts";
import { shipAll } from "./support/events.ts";
import { askForProof, closeAddress, fail, failTimes, newNetwork } from "./support/gates.ts";
import { DAY, MINUTE, pass, useMovedClock } from "./support/moved-clock.ts";
import { answerByPasskey, newArmedPerson, newPasskeyPerson, signInByPasskey } from "./support/passkeys.ts";
import { mailedProof } from "./support/proof-mode.ts";

useMovedClock();

const wrongly = <P extends Person>(person: P): P => ({ ...person, password: "not the right password" });
const nobody = (): Person => ({ id: "", email: `${crypto.randomUUID()}@example.com`, password: "some long password" });
const isAsked = async (person: Person) => (await logIn(wrongly(person))).body.code === "proof_required";
/** Somebody whose address asks for a proof. */
async function besieged<P extends Person>(person: P): Promise<P> {
  await askForProof(person.email);
  expect(await isAsked(person)).toBe(true);
  return person;
}
/** All that a client sees of an answer but the request's own id. */
const shown = ({ status, text, body, headers }: Answer) => ({
  status,
  text: text.replace(String(body.request_id), "-"),
  headers: [...headers].filter(([name]) => name !== "x-request-id"),
});

describe("whoever is refused by a gate", () => {
  /** How a gate comes to refuse a try at an address, from this client. */
  const STATES: Record<string, (person: Person, source: string) => Promise<void>> = {
    "nothing, so far": async () => {},
    "the client": async (_, source) => failTimes(20, await sourceGate(await ring(), clientNetwork(source))),
    "the network of the client": async (_, source) => {
      const net = source.split(".").slice(0, 3).join(".");
      for (let host = 2; host < 12; host += 1) {
        await failTimes(10, await sourceGate(await ring(), clientNetwork(`${net}.${host}`)));
      }
    },
    "the address from this client": async (person, source) => {
      for (let i = 0; i < 5; i += 1) await logIn(wrongly(person), { source });
    },
    "the address over all clients": ({ email }) => askForProof(email),
    "the cap of the address": ({ email }) => closeAddress(email),
  };
  const EXPECTED: Record<string, number> = {
    "nothing, so far": 401,
    "the address over all clients": 403,
  };
  const changed = async (status: string) => {
    const person = await newPerson();
    await env.DB.prepare("UPDATE users SET status = ? WHERE id = ?").bind(status, person.id).run();
    return person;
  };

  it.each(Object.keys(STATES))(
    "is not told by the answer or its work whether there is an account: %s",
    async (state) => {
      const people = [wrongly(await newPerson()), nobody(), await changed("closed"), await changed("disabled")];
      const objects = (await listDurableObjectIds(env.ACCOUNTS)).length;
      const seen = [];
      for (const person of people) {
        const source = newSource();
        await STATES[state]?.(person, source);
        // What was told of before is shipped, and its minute is over: whatever comes is the first.
        await shipAll();
        const { bindings, names } = countingBindings();
        let answered: Answer | undefined;
        const rows = await rowsWritten(async () => {
          answered = await logIn(person, { source, bindings });
        });
        if (!answered) throw new Error("no answer");
        expect(answered.status).toBe(EXPECTED[state] ?? 429);
        // Tables that a shard has not had before are rows, too, and the same for everybody is all that counts.
        seen.push({ ...shown(answered), calls: names().sort(), hasWritten: rows > 0 });
      }
      for (const one of seen) expect(one).toEqual(seen[0]);
      expect((await listDurableObjectIds(env.ACCOUNTS)).length).toBe(objects);
    },
  );

  it("hears the same with the right password", async () => {
    for (const state of Object.keys(STATES).slice(1)) {
      const [person, source] = [await newPerson(), newSource()];
      await STATES[state]?.(person, source);
      const [right, wrong] = [await logIn(person, { source }), await logIn(wrongly(person), { source })];
      expect(shown(right), state).toEqual(shown(wrong));
    }
  });
});

describe("an address that asks for a proof stops asking", () => {
  it("with the session of an account that has its password alone", async () => {
    const person = await besieged(await newPerson());
    expect((await logIn(person, { proof: await mailedProof(person) })).body.status).toBe("authenticated");
    expect(await isAsked(person)).toBe(false);
  });

  it("with the second factor, and not with the right password before it", async () => {
    const person = await besieged(await newGuardedPerson());
    const token = await challengeOf(person, { proof: await mailedProof(person) });
    expect(await isAsked(person)).toBe(true);
    await answer(token, person.wrongCode());
    expect(await isAsked(person)).toBe(true);
    expect((await answer(token, person.codeNow())).body.status).toBe("authenticated");
    expect(await isAsked(person)).toBe(false);
  });

  it("with a passkey beside the password, and with one alone", async () => {
    const armed = await besieged(await newArmedPerson());
    const token = await challengeOf(armed, { proof: await mailedProof(armed) });
    expect((await answerByPasskey(token, armed.key)).body.status).toBe("authenticated");
    expect(await isAsked(armed)).toBe(false);
    const person = await besieged(await newPasskeyPerson());
    expect((await signInByPasskey(person.key)).body.status).toBe("authenticated");
    expect(await isAsked(person)).toBe(false);
  });

  it("with the first factor of somebody who has to have one", async () => {
    const bindings = { ...env, SECOND_FACTOR: "required" };
    const person = await besieged(await newPerson());
    const { body } = await logIn(person, { bindings, proof: await mailedProof(person) });
    expect(body.status).toBe("enrolment_required");
    expect(await isAsked(person)).toBe(true);
    const { confirmed } = await addAuthenticator(body.enrolment_token, { bindings });
    expect(confirmed.body.status).toBe("active");
    expect(await isAsked(person)).toBe(false);
  });

  it("with a reset, which of an account with a factor is done when that is shown", async () => {
    const person = await besieged(await newPerson());
    expect((await reset(await resetLink(person))).body.status).toBe("password_reset");
    expect(await isAsked(person)).toBe(false);
    const guarded = await besieged(await newGuardedPerson());
    const { body } = await reset(await resetLink(guarded));
    expect(await isAsked(guarded)).toBe(true);
    expect((await answer(body.challenge_token, guarded.codeNow())).body.status).toBe("password_reset");
    expect(await isAsked(guarded)).toBe(false);
  });

  it("not by time, and not by what living sessions do, which go on", async () => {
    const person = await newArmedPerson();
    await besieged(person);
    pass(DAY - MINUTE);
    const { body } = await refresh(person.refreshToken);
    const asked = await call("/auth/step-up", {}, { bearer: body.access_token });
    expect((await answerByPasskey(asked.body.challenge_token, person.key)).status).toBe(200);
    expect(await isAsked(person)).toBe(true);
    pass(6 * DAY);
    expect(await isAsked(person)).toBe(true);
  });
});

describe("an address at its cap", () => {
  it("opens by mail and second factor alone, and keeps no passkey, recognised browser or session out", async () => {
    const [person, browser] = [await newArmedPerson(), new Browser()];
    await answer(await challengeOf(person, { browser }), person.codeNow(), { browser });
    await closeAddress(person.email);
    const refused = await logIn(person, { proof: await mailedProof(person) });
    expect(refused).toMatchObject({ status: 429, body: { code: "too_many_attempts" } });
    expect(refused.headers.get("Retry-After")).toBe("3600");
    expect((await refresh(person.refreshToken)).status).toBe(200);
    expect((await signInByPasskey(person.key)).body.status).toBe("authenticated");
    expect((await answerByPasskey(await challengeOf(person, { browser }), person.key)).status).toBe(200);
    // Sessions that were opened have not opened it.
    expect((await logIn(person)).status).toBe(429);
    const { body } = await reset(await resetLink(person));
    expect((await logIn(person)).status).toBe(429);
    expect((await answerByPasskey(body.challenge_token, person.key)).body.status).toBe("password_reset");
    expect((await logIn({ ...person, password: NEW_PASSWORD })).body.status).toBe("challenge");
  });

  it("refuses recognised browsers in the profile nist as well, and passkeys not", async () => {
    const bindings = { ...env, PROFILE: "nist" };
    const [person, browser] = [await newArmedPerson(), new Browser()];
    await answer(await challengeOf(person, { browser }), person.codeNow(), { browser });
    await closeAddress(person.email, 1);
    expect((await logIn(person, { browser, bindings })).body.status).toBe("challenge");
    await fail(await emailGate(await ring(), person.email, newNetwork(), { browserId: "b1" }, "nist"));
    expect((await logIn(person, { browser, bindings })).status).toBe(429);
    expect((await logIn(person, { browser })).body.status).toBe("challenge");
    expect((await signInByPasskey(person.key, { bindings })).body.status).toBe("authenticated");
  });

  it("counts what recognised browsers get wrong in the profile nist, and nowhere else", async () => {
    for (const PROFILE of ["nist", "standard"]) {
      const [person, browser] = [await newGuardedPerson(), new Browser()];
      await answer(await challengeOf(person, { browser }), person.codeNow(), { browser });
      await closeAddress(person.email, 1);
      expect((await logIn(wrongly(person), { browser, bindings: { ...env, PROFILE } })).status).toBe(401);
      const status = PROFILE === "nist" ? 429 : 200;
      expect((await logIn(person, { browser, bindings: { ...env, PROFILE } })).status, PROFILE).toBe(status);
    }
  });
});

describe("doors beside the sign-in", () => {
  it("a registration is finished in spite of all that was tried at its address before, which is then forgotten", async () => {
    const person = { ...nobody(), password: NEW_PASSWORD };
    await askForProof(person.email);
    await call("/auth/register", { email: person.email, password: person.password });
    const verified = await verifyEmail(linkTo(person.email, "verify-email"), person.password);
    expect(verified.body.status, verified.text).toBe("verified");
    expect((await logIn(person)).body.status).toBe("authenticated");
  });

  it("a recovery can be asked for, and whoever asks does not hear from the gates whether the password was right", async () => {
    const people = [await newGuardedPerson(), wrongly(await newGuardedPerson()), nobody()];
    for (const person of people) {
      const source = newSource();
      for (let i = 0; i < 4; i += 1) await logIn(wrongly(person), { source });
      expect((await startRecovery(person, { source })).status).toBe(202);
      // The fifth of the pair, whatever it was.
      expect((await logIn(wrongly(person), { source })).status).toBe(429);
    }
    const owner = await besieged(await newGuardedPerson());
    expect((await startRecovery(owner)).status).toBe(202);
    expect(linkTo(owner.email, "confirm-recovery")).not.toBe("");
  });
});

it("headers that clients invent choose no client", async () => {
  const [person, source] = [await newPerson(), newSource()];
  for (let i = 0; i < 20; i += 1) {
    const headers = { "X-Forwarded-For": newSource(), Forwarded: `for=${newSource()}`, "True-Client-IP": newSource() };
    await call("/auth/login", { email: 1 }, { source, headers });
  }
  expect((await logIn(person, { source, headers: { "X-Forwarded-For": newSource() } })).status).toBe(429);
  expect((await logIn(person, { headers: { "X-Forwarded-For": source } })).status).toBe(200);
});
