import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { answer, call, challengeOf, codeOf, logIn, type Person, recover, refresh } from "../support/in-worker.ts";
import {
  askEmailChange,
  cancelRecovery,
  deleteMe,
  forgot,
  freeze,
  linksTo,
  linkTo,
  type Page,
  reset,
  startRecovery,
  verifyEmail,
} from "./support/account-life.ts";
import { Browser } from "./support/browser.ts";
import { Canaries, everythingStored, shipEverything, spellings } from "./support/canaries.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { runMinute } from "./support/operations.ts";
import { addPasskey, signInByPasskey, syncedPasskey, UNVERIFIED } from "./support/passkeys.ts";

/** One client, whose address has digits of its own. */
const SOURCE = "198.51.100.237";
const SOURCE_V6 = "2001:db8:77:88:9999:aaaa:bbbb:cccc";
const from = { source: SOURCE };
const unique = (what: string) => `${what} ${randomBytes(12).toString("base64url")}`;
const mailbox = `canary.${randomBytes(6).toString("hex")}@example.com`;

let canaries: Canaries;
let stored: Record<string, string>;

useMovedClock();

/** Every flow once, with what is refused in it, by somebody who has not one secret in common with anybody. */
async function wholeLife(): Promise<void> {
  const person: Person = { id: "", email: mailbox, password: unique("first") };
  const { email } = person;
  await call("/auth/register", { email, password: person.password }, from);
  await verifyEmail(linkTo(email, "verify-email"), unique("not it"), from);
  await verifyEmail(linkTo(email, "verify-email"), person.password, from);
  await logIn({ ...person, password: unique("wrong") }, from);
  await logIn({ ...person, email: `nobody.${mailbox}`, password: unique("stuffed") }, from);
  const browser = new Browser();
  const secret = await guard(person, browser);
  const now = () => {
    pass(30 * SECOND);
    return codeOf(secret, Date.now());
  };
  const bearer = await secondDoors(person, browser, now);
  await withinSession(person, bearer, now);
  await mailedLinks(person, now);
  await refused(bearer);
}

async function guard(person: Person, browser: Browser): Promise<unknown> {
  const { access_token: bearer } = (await logIn(person, { ...from, browser })).body;
  const enrolled = await call("/auth/2fa/totp/enroll", {}, { ...from, bearer });
  const { secret, factor_id } = enrolled.body;
  await call("/auth/2fa/totp/confirm", { factor_id, code: "135790" }, { ...from, bearer });
  const code = codeOf(secret, Date.now());
  expect((await call("/auth/2fa/totp/confirm", { factor_id, code }, { ...from, bearer })).status).toBe(200);
  return secret;
}

async function secondDoors(person: Person, browser: Browser, code: () => string): Promise<unknown> {
  const token = await challengeOf(person, { ...from, browser });
  await answer(token, "975310", { ...from, browser });
  await recover(token, "0123-4567-89AB-CDEF-GHJK-MNPQ", from);
  const { body } = await answer(token, code(), { ...from, browser });
  await answer(token, code(), from);
  await refresh(undefined, { ...from, browser });
  const codes = [...canaries.secrets].filter(([, what]) => what === "recovery_codes").map(([one]) => one);
  expect((await recover(await challengeOf(person, from), codes[0], from)).status).toBe(200);
  await recover(await challengeOf(person, from), codes[0], from);
  return body.access_token;
}

async function withinSession(person: Person, bearer: unknown, code: () => string): Promise<void> {
  const { challenge_token } = (await call("/auth/step-up", {}, { ...from, bearer })).body;
  await answer(challenge_token, "864200", from);
  const fresh = (await answer(challenge_token, code(), from)).body.access_token;
  const key = syncedPasskey();
  await addPasskey(fresh, key, from);
  await signInByPasskey(key, { ...UNVERIFIED, ...from });
  expect((await signInByPasskey(key, from)).status).toBe(200);
  for (const path of ["me", "sessions", "browsers", "2fa", "activity", "export"]) {
    await call(`/auth/${path}`, undefined, { bearer: fresh, source: SOURCE_V6 });
  }
  await call("/auth/2fa/recovery-codes", {}, { ...from, bearer: fresh });
  const change = async (current_password: string) => {
    const new_password = unique("second");
    const changed = await call("/auth/password/change", { current_password, new_password }, { ...from, bearer: fresh });
    if (changed.status === 200) person.password = new_password;
  };
  await change(unique("not mine"));
  await change(person.password);
}

async function mailedLinks(person: Person, code: () => string): Promise<void> {
  await forgot(person, from);
  const link = linkTo(person.email, "reset-password");
  const chosen = unique("third");
  const { challenge_token } = (await reset(link, chosen, from)).body;
  await answer(challenge_token, "753190", from);
  expect((await answer(challenge_token, code(), from)).status).toBe(200);
  person.password = chosen;
  await startRecovery(person, from);
  const confirm = linkTo(person.email, "confirm-recovery");
  await call("/auth/recovery/confirm", { token: confirm }, from);
  await cancelRecovery(linkTo(person.email, "cancel-recovery"), from);
  await call("/auth/proof", { email: person.email }, from);
  const token = await challengeOf(person, from);
  const { access_token: bearer } = (await answer(token, code(), from)).body;
  await askEmailChange(bearer, `moved.${mailbox}`, { ...from });
  await verifyEmail(linkTo(`moved.${mailbox}`, "verify-email"), person.password, from);
  await call("/auth/email/undo", { token: linkTo(mailbox, "undo-email") }, from);
  await freeze(linkTo(mailbox, "freeze"), from);
  for (const page of ["reset-password", "freeze", "proof", "undo-email"] as Page[]) {
    for (const one of linksTo(mailbox, page)) canaries.add(page, one);
  }
}

/** What is refused before anybody looks at it. */
async function refused(bearer: unknown): Promise<void> {
  const password = unique("malformed");
  await call("/auth/login", { email: mailbox, password, [unique("odd")]: true }, from);
  await call("/auth/login", { email: password, password }, from);
  await call("/auth/logout", { refresh_token: `rt_${"A".repeat(120)}` }, from);
  await refresh(`rt_${randomBytes(90).toString("base64url")}`, from);
  await call("/auth/me", undefined, { ...from, bearer: `${String(bearer).slice(0, -4)}AAAA` });
  await call(`/auth/sessions/${encodeURIComponent(password)}`, undefined, { ...from, bearer, method: "DELETE" });
  await call(
    "/auth/login",
    { email: mailbox, password },
    { ...from, headers: { Origin: `https://${"evil"}.example` } },
  );
  await deleteMe(bearer, from);
  canaries.add("password", password);
}

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  canaries = Canaries.listen();
  await wholeLife();
  await shipEverything();
  await runMinute();
  stored = await everythingStored();
}, 60_000);
afterAll(() => void vi.restoreAllMocks());

describe("no secret of a whole life", () => {
  const places = (): Record<string, string> => ({
    ...stored,
    log: canaries.lines.map((line) => line.replaceAll("\\", "")).join("\n"),
  });

  it("is stored or logged in any spelling, anywhere", () => {
    const found: string[] = [];
    for (const [secret, what] of canaries.secrets) {
      for (const spelling of spellings(secret, what)) {
        for (const [place, text] of Object.entries(places())) {
          if (text.includes(spelling)) found.push(`${what} in ${place}: ${spelling.slice(0, 8)}`);
        }
      }
    }
    expect(found).toEqual([]);
    expect(new Set(canaries.secrets.values())).toEqual(
      new Set([
        ...["password", "new_password", "current_password", "secret", "recovery_codes", "recovery code", "signature"],
        ...["access_token", "refresh_token", "challenge_token", "token", "Authorization", "Cookie", "Set-Cookie"],
        ...["access_token, a part of it", "challenge_token, a part of it", "code"],
        ...["reset-password", "freeze", "proof", "undo-email"],
      ]),
    );
  });

  it("nor is a code, where it stands by itself", () => {
    expect(canaries.codes.size).toBeGreaterThan(8);
    for (const [place, text] of Object.entries(places())) {
      for (const code of canaries.codes) {
        expect(new RegExp(`(?<![0-9a-zA-Z-])${code}(?![0-9a-zA-Z-])`).test(text), `${code} in ${place}`).toBe(false);
      }
    }
  });

  it("and events and log hold neither an address of a person nor the whole address of a client", () => {
    const { EVENTS = "", log = "" } = places();
    for (const text of [EVENTS, log]) {
      expect(text).toContain("198.51.100.0/24");
      for (const one of [mailbox, mailbox.split("@")[0] ?? "", SOURCE, SOURCE_V6, "2001:db8:77:88", "9999:aaaa"]) {
        expect(text).not.toContain(one);
      }
    }
  });

  it("while what should be there is: more than thirty events of a dozen kinds", () => {
    const events = canaries.lines.filter((line) => line.includes('"event":"security"')).map((line) => JSON.parse(line));
    expect(events.length).toBeGreaterThan(30);
    expect(new Set(events.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(12);
  });
});
