import { runInDurableObject } from "cloudflare:test";
import { AccountStore } from "../../../src/account/account-store.ts";
import { makeUserHandle } from "../../../src/tokens/user-handle.ts";
import {
  type Answer,
  accountOf,
  answer,
  call,
  challengeOf,
  logIn,
  newGuardedPerson,
  newPerson,
  type Person,
  recover,
  ring,
} from "../../support/in-worker.ts";
import type { SoftwareAuthenticator } from "../../support/software-authenticator.ts";
import { answerByPasskey, creationOptions, newPasskeyPerson, syncedPasskey } from "./passkeys.ts";

/** Somebody with an account, and all there is to sign in to it with. */
export interface Holder {
  person: Person;
  /** A session that is open already. */
  session: Record<string, unknown>;
  /** An authenticator that holds the account's user handle; its passkey may be unknown to the account. */
  key: SoftwareAuthenticator;
  /** Answers a challenge with what the account really has. */
  right?: (challengeToken: unknown, bindings: object) => Promise<Answer>;
}

/** An account of each kind. */
export const HOLDERS = {
  "no factor": async () => {
    const person = await newPerson();
    return { person, session: (await logIn(person)).body, key: await strangersKey(person) };
  },
  TOTP: async () => {
    const person = await newGuardedPerson();
    const right = (token: unknown, bindings: object) => answer(token, person.codeNow(), { bindings });
    return { person, session: person.session, key: await strangersKey(person), right };
  },
  "a passkey only": async () => {
    const person = await newPasskeyPerson();
    const right = (token: unknown, bindings: object) => answerByPasskey(token, person.key, { bindings });
    return { person, session: person.session, key: person.key, right };
  },
  "recovery codes only": async () => {
    const person = await newGuardedPerson();
    await runInDurableObject(accountOf(person), (_, state) =>
      new AccountStore(state.storage.sql).deleteFactor(person.factorId),
    );
    const [first, second] = person.recoveryCodes;
    const session = (await recover(await challengeOf(person), first)).body;
    const right = (token: unknown, bindings: object) => recover(token, second, { bindings });
    return { person, session, key: await strangersKey(person), right };
  },
  "an authenticator never confirmed": async () => {
    const person = await newPerson();
    const session = (await logIn(person)).body;
    await call("/auth/2fa/totp/enroll", {}, { bearer: session.access_token });
    return { person, session, key: await strangersKey(person) };
  },
  "a passkey never registered": async () => {
    const person = await newPerson();
    const session = (await logIn(person)).body;
    const key = syncedPasskey();
    await key.register(await creationOptions(session.access_token));
    return { person, session, key };
  },
} satisfies Record<string, () => Promise<Holder>>;

export type Holding = keyof typeof HOLDERS;

async function strangersKey({ id }: Person): Promise<SoftwareAuthenticator> {
  const key = syncedPasskey();
  await key.register({ challenge: "AAAA", rp: {}, user: { id: await makeUserHandle(await ring(), id) } });
  return key;
}
