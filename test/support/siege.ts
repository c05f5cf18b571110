import { setTimeout as sleep } from "node:timers/promises";
import type { Person } from "./client.ts";
import { atOnce } from "./passkey-client.ts";
import { expectProofRequired, fromElsewhere } from "./proof-mode.ts";

/** Wrong passwords for an address, each from another source, until everybody is asked for a proof. */
export async function closeDoor(person: Person): Promise<void> {
  const wrong = { ...person, password: "not the password" };
  for (let round = 0; round < 3; round++) await atOnce(7, () => fromElsewhere(wrong));
  expectProofRequired(await fromElsewhere(wrong));
}

/** What a right password from elsewhere gives by now: the gate hears of a sign-in behind its answer. */
export async function opensElsewhere(person: Person): Promise<unknown> {
  for (let tries = 1; ; tries++) {
    const { body } = await fromElsewhere(person);
    if (body.code !== "proof_required" || tries === 40) return body.status;
    await sleep(100);
  }
}
