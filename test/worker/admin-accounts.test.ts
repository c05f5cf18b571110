import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { readMailbox } from "../../src/mail/mailbox.ts";
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
} from "../support/in-worker.ts";
import { sessionIdsOf } from "./support/account.ts";
import {
  deletionLink,
  freeze,
  freshBearer,
  linksTo,
  linkTo,
  move,
  nextCode,
  noticeOf,
  open,
  reset,
  resetLink,
  settledVersion,
  signInNow,
  subjectsTo,
  undoEmail,
  userOf,
} from "./support/account-life.ts";
import { actOn, actsOn, eventsOf, newAdmin } from "./support/admin.ts";
import { brokenAt } from "./support/broken-stores.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

const NOBODY = "00000000-0000-4000-8000-000000000000";

const opens = async (person: Person) => {
  const { body } = await logIn(person);
  return body.code ?? body.status;
};

/** Status of what was asked for, or why it was refused. */
const outcomeOf = ({ status, body }: Answer) => [status, body.status === status ? body.code : body.status];

/** Everything that changes somebody, and what it is recorded as. */
const WRITES: Record<
  string,
  { body?: object; reason: string; endsSessions: boolean; before?: (person: Person) => Promise<unknown> }
> = {
  disable: { reason: "disable", endsSessions: true },
  enable: {
    reason: "enable",
    endsSessions: true,
    before: ({ id }) => env.DB.prepare("UPDATE users SET status = 'disabled' WHERE id = ?").bind(id).run(),
  },
  "sign-out": { reason: "sign_out", endsSessions: true },
  "reset-factors": { reason: "reset_factors", endsSessions: true },
  unlock: { reason: "unlock", endsSessions: false },
  roles: { body: { roles: ["editor"] }, reason: "roles", endsSessions: true },
};

describe.each(Object.entries(WRITES))("%s", (what, { body, reason, endsSessions, before }) => {
  it("is an event that names the admin, and ends sessions where it must", async () => {
    const [admin, person] = [await newAdmin(), await newGuardedPerson()];
    await before?.(person);
    expect((await actOn(admin, person, what, body)).status).toBe(200);
    const recorded = await actsOn(person);
    expect(recorded).toEqual([
      expect.objectContaining({
        kind: "authz_admin",
        account: person.id,
        actor: admin.id,
        reason,
        request: expect.any(String),
      }),
    ]);
    expect(JSON.stringify(recorded)).not.toContain(person.email);
    expect(await sessionIdsOf(person)).toHaveLength(endsSessions ? 0 : 1);
    await settledVersion(person);
  });

  it("knows no account that is not there, and takes no body that says more", async () => {
    const [admin, person] = [await newAdmin(), await newPerson()];
    for (const id of [NOBODY, "no-id", encodeURIComponent("' OR 1=1 --")]) {
      expect((await actOn(admin, { id }, what, body)).body.code).toBe("not_found");
    }
    const odd = await actOn(admin, person, what, { ...body, force: true });
    expect(odd.body).toMatchObject({ code: "invalid_request", errors: [{ path: "force" }] });
    expect(await actsOn(person)).toEqual([]);
  });
});

describe("an admin's own account", () => {
  it.each(["disable", "reset-factors", "roles"])("is not for him: %s", async (what) => {
    const admin = await newAdmin();
    const body = what === "roles" ? { roles: [] } : {};
    expect(outcomeOf(await actOn(admin, admin, what, body))).toEqual([403, "forbidden"]);
    expect(await userOf(admin)).toMatchObject({ status: "active", roles: ["admin"] });
    expect((await call("/auth/2fa", undefined, { bearer: admin.bearer })).body.factors).toHaveLength(1);
  });

  it("can be signed out by him", async () => {
    const admin = await newAdmin();
    expect((await actOn(admin, admin, "sign-out")).status).toBe(200);
    expect((await actOn(admin, admin, "unlock")).body.code).toBe("invalid_token");
  });
});

describe("a disabled account", () => {
  it("stays closed whatever link is used, and its owner hears of it", async () => {
    const [admin, person] = [await newAdmin(), await newPerson()];
    const moved = await newPerson();
    const { there, undo } = await move(moved);
    const [link, notice] = [await resetLink(person), await noticeOf(person)];
    for (const one of [person, there])
      expect((await actOn(admin, one, "disable")).body).toEqual({ status: "disabled" });
    expect(subjectsTo(person.email)[0]).toContain("was closed");
    expect((await reset(link)).body.code).toBe("invalid_link");
    expect((await freeze(notice)).body.code).toBe("invalid_link");
    expect((await undoEmail(undo)).body.code).toBe("invalid_link");
    expect((await undoEmail(linkTo(moved.email, "undo-email"))).body.code).toBe("invalid_link");
    const known = linksTo(person.email, "reset-password").length;
    await call("/auth/password/forgot", { email: person.email });
    expect(linksTo(person.email, "reset-password")).toHaveLength(known);
    for (const one of [person, there]) {
      expect(await opens(one)).toBe("sign_in_failed");
      expect((await userOf(one))?.status).toBe("disabled");
    }
  });

  it("is not opened by a reset whose factor is proven too late", async () => {
    const [admin, person] = [await newAdmin(), await newGuardedPerson()];
    const challenge = (await reset(await resetLink(person))).body.challenge_token;
    await actOn(admin, person, "disable");
    expect((await answer(challenge, nextCode(person))).body.code).toBe("invalid_challenge");
    expect((await userOf(person))?.status).toBe("disabled");
  });

  it("opens again by a word, and by no session of before", async () => {
    const [admin, person] = [await newAdmin(), await newGuardedPerson()];
    const before = await freshBearer(person);
    const challenge = await challengeOf(person);
    await actOn(admin, person, "disable");
    expect((await answer(challenge, nextCode(person))).body.code).toBe("invalid_challenge");
    expect(outcomeOf(await actOn(admin, person, "disable"))).toEqual([409, "conflict"]);
    expect((await actOn(admin, person, "enable")).body).toEqual({ status: "enabled" });
    expect(outcomeOf(await actOn(admin, person, "enable"))).toEqual([409, "conflict"]);
    expect((await call("/auth/me", undefined, { bearer: before })).status).toBe(401);
    expect((await signInNow(person)).body.status).toBe("authenticated");
  });

  it("that is to be deleted is left as it is", async () => {
    const [admin, person] = [await newAdmin(), await newPerson()];
    const token = await deletionLink(person);
    expect((await actOn(admin, person, "disable")).body).toMatchObject({
      code: "conflict",
      reason: "not_active",
    });
    expect((await open("/auth/deletion/cancel")(token)).body.status).toBe("deletion_cancelled");
  });

  it("is as before or as after when the request dies on the way", async () => {
    for (const [at, when] of [
      ["prepareByOperator", "after"],
      ["batch", "before"],
      ["batch", "after"],
      ["commit", "before"],
    ] as const) {
      const [admin, person] = [await newAdmin(), await newPerson()];
      const { bindings, isMet } = brokenAt({ at, when, dies: true });
      await actOn(admin, person, "disable", {}, bindings);
      expect(isMet()).toBe(true);
      pass(120 * SECOND);
      const status = (await userOf(person))?.status;
      expect(status).toBe(at === "commit" || (when === "after" && at === "batch") ? "disabled" : "active");
      expect(await opens(person)).toBe(status === "disabled" ? "sign_in_failed" : "authenticated");
      expect((await actsOn(person)).map(({ reason }) => reason)).toEqual(["disable"]);
    }
  });
});

it("an invitation is mailed, recorded without the address, and not sent to who has an account", async () => {
  const admin = await newAdmin();
  const email = `guest.${crypto.randomUUID()}@example.com`;
  const invite = (to: unknown) => call("/admin/api/users/invite", { email: to }, { bearer: admin.bearer });
  expect(outcomeOf(await invite(email))).toEqual([202, "invited"]);
  expect(readMailbox(email)[0]?.text).toContain("/accept-invitation#token=");
  const event = (await eventsOf()).at(-1);
  expect(event).toMatchObject({
    kind: "authz_admin",
    reason: "invite",
    actor: admin.id,
    address: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
  expect(JSON.stringify(event)).not.toContain(email);
  expect(outcomeOf(await invite((await newPerson()).email))).toEqual([409, "conflict"]);
  expect((await invite("nobody")).body).toMatchObject({ code: "invalid_request", errors: [{ path: "email" }] });
});

it("an account is found by its address, and shows nothing that opens it", async () => {
  const [{ bearer }, person] = [await newAdmin(), await newGuardedPerson()];
  const find = (query: string) => call(`/admin/api/users?${query}`, undefined, { bearer });
  const found = await find(`email=${encodeURIComponent(person.email.toUpperCase())}`);
  expect(found.body).toEqual({
    id: person.id,
    email: person.email,
    email_verified: true,
    status: "active",
    roles: [],
    created_at: expect.any(String),
    factors: [expect.objectContaining({ kind: "totp", id: person.factorId })],
    recovery_codes_remaining: 10,
    sessions: 1,
    asks_for_proof: false,
    closed_methods: [],
  });
  expect((await find("email=nobody@example.com")).body.code).toBe("not_found");
  for (const query of ["", "email=", "email=%25", "email=a@b.example&email=c@d.example", "id=1"]) {
    expect((await find(query)).body.code).toBe("invalid_request");
  }
  expect(await accountOf(person).overview()).not.toHaveProperty("secrets");
});
