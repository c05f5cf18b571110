import { describe, expect, it } from "vitest";
import {
  type Answer,
  challenged,
  expectProblem,
  get,
  type Json,
  logIn,
  newSource,
  post,
  signedIn,
  signedInTwice,
  verifiedPerson,
} from "../../support/client.ts";
import { changePassword, freshAccess, withPassword } from "../../support/life-client.ts";
import { eventually } from "../../support/operator-client.ts";
import { wrongCodes } from "../../support/passkey-client.ts";
import { coveredPerson, recoverySession } from "../../support/recovery-client.ts";

const ask = (bearer: string): Promise<Answer> => get("/auth/activity", { bearer });

/** The account's recent events, newest first. */
async function activityOf(bearer: string): Promise<Json[]> {
  const answer = await ask(bearer);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.events, answer.text).toBeInstanceOf(Array);
  return answer.body.events as Json[];
}
const kinds = (events: Json[]): string[] => events.map(({ kind }) => String(kind));

/** The events, once there are these kinds among them. */
const withKinds = (bearer: string, ...wanted: string[]): Promise<Json[]> =>
  eventually(
    `activity of ${wanted.join(" and ")}`,
    async () => {
      const events = await activityOf(bearer);
      return wanted.every((kind) => kinds(events).includes(kind)) ? events : undefined;
    },
    45,
  );

describe.concurrent("GET /auth/activity", () => {
  it("tells the owner what happened of late, the newest first, each with its time and name", async () => {
    const person = await coveredPerson();
    const source = newSource();
    await logIn({ ...person, password: "not the password", source });
    await wrongCodes(person, await challenged(person), 1);
    const { access } = await signedInTwice(person);
    const events = await withKinds(access, "authn_login_fail", "authn_login_successafterfail");
    const times = events.map(({ at }) => Date.parse(String(at)));
    for (const event of events) {
      expect(event.kind).toMatch(/^[a-z]+_[a-z_]+$/);
      expect(event.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    }
    expect(times).toEqual([...times].sort((a, b) => b - a));
    expect(Math.abs((times[0] ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it("holds no secret and no whole address", async () => {
    const person = await coveredPerson({ source: `${newSource().split(".").slice(0, 3).join(".")}.231` });
    const { access, refresh } = await recoverySession(person);
    await withKinds(access, "authn_login_success");
    const { text } = await ask(access);
    for (const secret of [person.password, person.source, access, refresh, person.session.refresh, ...person.codes])
      expect(text).not.toContain(secret);
  });

  it("is of this account alone", async () => {
    const [ada, eve] = [await verifiedPerson(), await verifiedPerson()];
    const access = await freshAccess(ada);
    const before = await withKinds(access, "authn_login_success");
    const other = await signedIn(eve);
    await changePassword(other.access, eve);
    await logIn(withPassword(eve));
    expect((await activityOf(access)).map(({ id, at, kind }) => [id, at, kind])).toEqual(
      before.map(({ id, at, kind }) => [id, at, kind]),
    );
  });

  it("names a new password", async () => {
    const person = await verifiedPerson();
    const changed = await changePassword(await freshAccess(person), person);
    await withKinds(String(changed.body.access_token), "authn_password_change");
  });

  it("needs a living session of this service, and nothing more", async () => {
    const person = await coveredPerson();
    expect((await ask(person.early)).status).toBe(200);
    expect((await ask((await recoverySession(person)).access)).status).toBe(200);
    for (const bearer of ["a.b.c", person.session.refresh, await challenged(person)])
      expectProblem(await ask(bearer), 401, "invalid_token");
    expectProblem(await get("/auth/activity"), 401, "invalid_token");
    const gone = await signedInTwice(person);
    expect((await post("/auth/logout", {}, { bearer: gone.access })).status).toBe(204);
    expectProblem(await ask(gone.access), 401, "invalid_token");
    expectProblem(await post("/auth/activity", {}, { bearer: person.session.access }), 405, "method_not_allowed");
  });
});
