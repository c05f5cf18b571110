import { expect, it } from "vitest";
import { ADDRESS_FAILURES } from "../../src/policy.ts";
import {
  type Answer,
  answer,
  challengeOf,
  logIn,
  newGuardedPerson,
  newPerson,
  newSource,
  refresh,
} from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { shipAll } from "./support/events.ts";
import { eventsFrom } from "./support/gates.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { newArmedPerson, signInByPasskey } from "./support/passkeys.ts";

useMovedClock();

const SOURCES = 2_000;
const AT_ONCE = 5;

const NETWORKS = 200;

/** The attacker's addresses: each comes once, and ten share a /24. */
const sourceOf = (number: number) => `172.16.${number % NETWORKS}.${1 + Math.floor(number / NETWORKS)}`;

it("2,000 sources guess at one account: its owner signs in throughout, and nobody else notices", {
  timeout: 180_000,
}, async () => {
  const [owner, bystander, guarded, browser] = [
    await newArmedPerson(),
    await newPerson(),
    await newGuardedPerson(),
    new Browser(),
  ];
  await answer(await challengeOf(owner, { browser }), owner.codeNow(), { browser });
  let session = (await signInByPasskey(owner.key)).body;
  const refused = new Map<number, number>();
  let longest = 0;
  let inARow = 0;
  const guess = async (number: number) => {
    const wrong = { ...owner, password: `guess number ${number}` };
    const { status } = await logIn(wrong, { source: sourceOf(number) });
    refused.set(status, (refused.get(status) ?? 0) + 1);
    inARow = status === 401 ? inARow + 1 : 0;
    longest = Math.max(longest, inARow);
  };
  const enters = async (way: string, entered: Promise<Answer>, status = "authenticated") => {
    const { body, text } = await entered;
    expect(body.status, `${way}: ${text}`).toBe(status);
    return body;
  };
  for (let number = 0; number < SOURCES; number += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => guess(number + i)));
    if (number % 200 !== 195) continue;
    // A code is good once, so the next sign-in waits for the next.
    pass(30 * SECOND);
    const known = logIn(owner, { browser, source: newSource() });
    const { challenge_token } = await enters("the password in a known browser", known, "challenge");
    // Each of these ends what has been counted, as it does for any owner; the attack goes on.
    if (number % 400 === 195) {
      await enters("a known browser", answer(challenge_token, owner.codeNow(), { browser }));
    } else {
      session = await enters("a passkey", signInByPasskey(owner.key));
    }
    session = (await refresh(session.refresh_token)).body;
    expect(session.access_token, "a session that lives").toBeDefined();
    await enters("somebody else", logIn(bystander));
    const token = (await enters("somebody else with a factor", logIn(guarded), "challenge")).challenge_token;
    await enters("and the factor", answer(token, guarded.codeNow()));
  }
  // Strangers had their twenty guesses after each of the ten sign-ins and before the first, and nothing but that.
  expect(longest).toBe(ADDRESS_FAILURES);
  expect([...refused.keys()].sort()).toEqual([401, 403]);
  expect(refused.get(401)).toBe(10 * ADDRESS_FAILURES);
  await shipAll();
  // Whoever watches sees the networks that were refused.
  for (const number of [60, 120, 199]) {
    const refusals = (await eventsFrom(`172.16.${number}.0/24`)).map(({ reason }) => reason);
    expect(new Set(refusals)).toContain("address_unproven");
  }
});
