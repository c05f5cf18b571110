import type { AccountStore } from "../../../src/account/account-store.ts";
import { settleAnswer } from "../../../src/account/answers.ts";
import { openFirstDoor } from "../../../src/account/first-door.ts";
import { keepImportedFactors } from "../../../src/account/imported-factors.ts";
import { addPasskey, startRegistration } from "../../../src/account/passkey-enrolment.ts";
import { signInWithPasskey } from "../../../src/account/passkey-sign-in.ts";
import { awaitReset, openReset } from "../../../src/account/password-changes.ts";
import { finishRecovery, requestRecovery, resetFactors, startRecovery } from "../../../src/account/recovery.ts";
import { refreshSession } from "../../../src/account/refreshing.ts";
import { keepPendingFactor, settleConfirmation } from "../../../src/account/totp-enrolment.ts";
import {
  challenge,
  claim,
  NOW,
  passkey,
  pendingFactor,
  SECRET,
  session,
  TERMS,
  totpFactor,
} from "./account-samples.ts";
import { CODE } from "./answering.ts";
import { DAY, verdict } from "./changing.ts";
import { type StoredAccount, storeWith } from "./memory-store.ts";
import { assertionOf, CHALLENGES, enrolled, HANDLE, RP } from "./passkey-samples.ts";

/** Something that is good for an account as long as there is one. */
interface WayIn {
  account: () => Promise<AccountStore>;
  by: (store: AccountStore) => object | undefined | Promise<object>;
}

/** Whether a way has led to something. */
export function isIn(answer: object | undefined): boolean {
  return answer !== undefined && !("refused" in answer);
}

const CODES = { codes: ["shown"], kept: { keyId: 1, digests: ["n1"] } };
const RESERVED = {
  takenAt: NOW,
  isPaid: false,
  usable: [],
  recoveryCodes: { keyId: 0, digests: [] },
  webauthn: "AAAA",
  mustVerifyUser: false,
};
const ENROLMENT = { id: "e1", expiresAt: NOW + DAY, factors: { pwd: NOW / 1000 }, terms: TERMS };
const BEARER = { kind: "enrolment", enrolmentId: "e1" } as const;
const awaited = { id: "link", expiresAt: NOW + DAY };

const account = (stored: StoredAccount) => () => Promise.resolve(storeWith(stored));
const withCode = (purpose: "login" | "password_reset"): StoredAccount => {
  const reset = { linkId: "link", sealedPassword: "sealed" };
  const open = challenge({ purpose, ...(purpose === "login" ? {} : { reset }) });
  return { factors: [totpFactor()], guard: { challenges: [open] } };
};
const answerBy = (store: AccountStore) =>
  settleAnswer(store, "c1", RESERVED, CODE, { ...claim(), asksForTrust: false }, NOW);
const waiting = (life: object): StoredAccount => ({ factors: [totpFactor()], guard: { life } });

/** Every way in which a request that is on its way could open, change or revive an account. */
export function waysIn(): Record<string, WayIn> {
  return { ...signIns(), ...enrolments(), ...lives() };
}

function signIns(): Record<string, WayIn> {
  const key = enrolled();
  const passkeyAccount = async () => {
    const credential = { ...(await key).credential, userVerified: true };
    return storeWith({ factors: [{ ...passkey(), credential }] });
  };
  return {
    "a password": {
      account: account({}),
      by: (store) => openFirstDoor(store, verdict(), TERMS, { ...claim(), isProven: false }, NOW),
    },
    "a password in front of a second door": {
      account: account({ factors: [totpFactor()] }),
      by: (store) => openFirstDoor(store, verdict(), TERMS, { ...claim(), isProven: false }, NOW),
    },
    "a code": { account: account(withCode("login")), by: answerBy },
    "the code of a reset": { account: account(withCode("password_reset")), by: answerBy },
    "a refresh token": {
      account: account({ sessions: [session()], factors: [totpFactor()] }),
      by: (store) => {
        const { trustTerms } = claim();
        const token = { sessionId: "s1", generation: 1, secret: SECRET, epoch: 1 };
        return refreshSession(
          store,
          { ...token, factorMaxAgeMs: DAY, audiences: [{ name: TERMS.audience }], trustTerms },
          NOW,
        );
      },
    },
    "a passkey alone": {
      account: passkeyAccount,
      by: async (store) => {
        const response = await assertionOf(await key);
        const { roles: _, ...terms } = TERMS;
        const challenged = { challengeText: CHALLENGES.get, challenge: { id: "x", expiresAt: NOW + 1 } };
        const asked = { rp: RP, response, userHandle: HANDLE, ...challenged, epoch: 1, terms, claim: claim() };
        return signInWithPasskey(store, asked, () => NOW);
      },
    },
  };
}

function enrolments(): Record<string, WayIn> {
  const open = { guard: { enrolments: [{ ...ENROLMENT, passwordVersion: 1, epoch: 1 }] } };
  const confirm = (store: AccountStore) => {
    const matches = [{ factorId: "waiting", steps: [10] }];
    return settleConfirmation(store, BEARER, "waiting", matches, { codes: CODES, claim: claim() }, NOW);
  };
  return {
    "the first code of an app": { account: account({ ...open, factors: [pendingFactor("e1")] }), by: confirm },
    "a new app": {
      account: account(open),
      by: (store) => keepPendingFactor(store, BEARER, "optional", { id: "t9", label: "", sealedSecret: "" }, NOW),
    },
    "the registration of a passkey": { account: account(open), by: (store) => startRegistration(store, BEARER, NOW) },
    "a new passkey": {
      account: account(open),
      by: (store) => {
        const { credential } = passkey();
        return addPasskey(store, BEARER, { label: "", credential }, { codes: CODES, claim: claim() }, NOW);
      },
    },
    "an import": {
      account: account({ guard: { passwordVersion: 0 } }),
      by: (store) => {
        keepImportedFactors(store, [{ id: "t7", label: "", sealedSecret: "" }], NOW);
        return store.factors().find(({ id }) => id === "t7");
      },
    },
  };
}

function lives(): Record<string, WayIn> {
  return {
    "a link for a reset": { account: account({}), by: (store) => awaitReset(store, verdict(), "link", NOW) },
    "a reset": {
      account: account({ guard: { life: { reset: awaited } } }),
      by: (store) => {
        const request = { linkId: "link", sealedPassword: "sealed", terms: TERMS, claim: claim() };
        return openReset(store, verdict(), request, NOW);
      },
    },
    "a recovery that is asked for": {
      account: account(waiting({})),
      by: (store) => requestRecovery(store, verdict(), "link", NOW),
    },
    "a recovery that starts": {
      account: account(waiting({ recoveryRequest: awaited })),
      by: (store) => startRecovery(store, verdict(), "link", { id: "r1", delayMs: DAY }, NOW),
    },
    "a recovery that is finished": {
      account: account(waiting({ recovery: { id: "r1", startedAt: 0, finishAfter: NOW } })),
      by: (store) => finishRecovery(store, verdict(), "r1", NOW),
    },
    "a reset by operators": { account: account({}), by: (store) => resetFactors(store, verdict(), "op1", NOW) },
  };
}
