import { URI } from "otpauth";
import { beforeAll, describe, expect, it } from "vitest";
import { Authenticator, stepAt } from "../../support/authenticator.ts";
import {
  answerChallenge,
  challenged,
  confirm,
  enrol,
  expectProblem,
  get,
  logIn,
  me,
  newPerson,
  type Person,
  post,
  refreshed,
  type Session,
  sessionOf,
  sessionsOf,
  signedIn,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";

const factorsOf = async (session: Session) => (await get("/auth/2fa", { bearer: session.access })).body;

describe("enrolling an authenticator app", () => {
  let person: Person;
  beforeAll(async () => {
    person = await verifiedPerson();
  });

  it("shows the secret as base32, as an otpauth URI and as a QR code", async () => {
    const answer = await enrol((await signedIn(person)).access, { label: "Phone" });
    expect(answer.status).toBe(201);
    expect(Object.keys(answer.body).sort()).toEqual(["expires_in", "factor_id", "otpauth_uri", "qr_svg", "secret"]);
    expect(answer.body.expires_in).toBe(600);
    const secret = text(answer, "secret");
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    const uri = text(answer, "otpauth_uri");
    expect(uri).toMatch(/^otpauth:\/\/totp\/Sallyport:/);
    const query = new URL(uri).searchParams;
    expect(Object.fromEntries(query)).toEqual({
      secret,
      issuer: "Sallyport",
      algorithm: "SHA1",
      digits: "6",
      period: "30",
    });
    expect(decodeURIComponent(new URL(uri).pathname.replace(/^\/+(totp\/)?/, ""))).toBe(`Sallyport:${person.email}`);
    // What an authenticator app makes of it gives the codes of the secret.
    expect(URI.parse(uri).generate({ timestamp: 90_000 })).toBe(new Authenticator(secret).at(3));
    expect(text(answer, "qr_svg")).toMatch(/^(<\?xml[^>]*>\s*)?<svg[\s>]/);
    expect(text(answer, "qr_svg")).not.toMatch(/<script|onload|href/i);
  });

  it("gives every enrolment a secret of its own", async () => {
    const session = await signedIn(person);
    const [one, other] = [await enrol(session.access), await enrol(session.access)];
    expect(text(one, "secret")).not.toBe(text(other, "secret"));
    expect(text(one, "factor_id")).not.toBe(text(other, "factor_id"));
  });

  it("encodes an address that tries to add parameters", async () => {
    const { email } = newPerson();
    const hostile = newPerson({ email: email.replace("ada", "o'hara&secret=AAAA#%0A+x?issuer=Evil") });
    const { status } = await post("/auth/register", { email: hostile.email, password: hostile.password });
    expect([202, 400]).toContain(status);
    // An address that is refused harms nobody; a plus sign is in every mail system.
    const tagged = newPerson({ email: email.replace("@", "+secret=AAAA@") });
    const account = await verifiedPerson(status === 202 ? hostile : tagged);
    const answer = await enrol((await signedIn(account)).access);
    const query = new URL(text(answer, "otpauth_uri")).searchParams;
    expect(query.getAll("secret")).toEqual([text(answer, "secret")]);
    expect(query.getAll("issuer")).toEqual(["Sallyport"]);
    expect(text(answer, "otpauth_uri")).not.toMatch(/[\s#"<>]/);
  });

  it("needs a session whose token is good", async () => {
    expectProblem(await enrol("a.b.c"), 401, ["invalid_token", "invalid_challenge"]);
  });
});

describe("confirming it", () => {
  it("makes the factor active and lists it without its secret", async () => {
    const session = await signedIn(await verifiedPerson());
    expect(await factorsOf(session)).toEqual({ factors: [], recovery_codes_remaining: 0, required: false });
    const enrolment = await enrol(session.access, { label: "My phone 📱" });
    const answer = await confirm(
      session.access,
      text(enrolment, "factor_id"),
      await new Authenticator(text(enrolment, "secret")).next(),
    );
    expect(answer.status).toBe(200);
    expect(answer.body.status).toBe("active");
    // "recovery_codes?": codes come with the first factor; no token members without an enrolment token.
    expect(Object.keys(answer.body).filter((member) => member !== "status" && member !== "recovery_codes")).toEqual([]);
    const listed = await get("/auth/2fa", { bearer: session.access });
    expect(Object.keys(listed.body).sort()).toEqual(["factors", "recovery_codes_remaining", "required"]);
    expect(listed.body.factors).toEqual([
      {
        id: text(enrolment, "factor_id"),
        kind: "totp",
        label: "My phone 📱",
        created_at: expect.any(String),
        last_used_at: expect.toSatisfy(isTimeOrNull),
      },
    ]);
    for (const [what, shown] of [
      ["2fa", listed.text],
      ["me", (await me(session.access)).text],
      ["confirm", answer.text],
    ]) {
      expect(shown, what).not.toContain(text(enrolment, "secret"));
    }
  });

  it("ends the account's other sessions and lets the confirming one go on, at aal2 from its next refresh", async () => {
    const person = await verifiedPerson();
    const [other, session] = [await signedIn(person), await signedIn(person)];
    const enrolment = await enrol(session.access);
    const code = await new Authenticator(text(enrolment, "secret")).next();
    expect((await confirm(session.access, text(enrolment, "factor_id"), code)).status).toBe(200);
    expectProblem(await me(other.access), 401, "invalid_token");
    expectProblem(await refreshed(other.refresh), 401, "invalid_refresh_token");
    expect((await sessionsOf(session.access)).length).toBe(1);
    const next = sessionOf(await refreshed(session.refresh));
    expect(next.id).toBe(session.id);
    expect((await me(next.access)).body.acr).toBe("aal2");
  });

  it("refuses a wrong code and a code of a step outside the window", async () => {
    const session = await signedIn(await verifiedPerson());
    const enrolment = await enrol(session.access);
    const authenticator = new Authenticator(text(enrolment, "secret"));
    const factorId = text(enrolment, "factor_id");
    expectProblem(await confirm(session.access, factorId, authenticator.wrong()), 401, "invalid_code");
    expectProblem(
      await confirm(session.access, factorId, authenticator.at(stepAt(Date.now()) - 3)),
      401,
      "invalid_code",
    );
    expectProblem(
      await confirm(session.access, factorId, authenticator.at(stepAt(Date.now()) + 3)),
      401,
      "invalid_code",
    );
    expect((await confirm(session.access, factorId, await authenticator.next())).status).toBe(200);
  });

  it("knows only the secret shown last, and only in the session that asked for it", async () => {
    const person = await verifiedPerson();
    const [session, stranger] = [await signedIn(person), await signedIn(person)];
    const [older, newer] = [await enrol(session.access), await enrol(session.access)];
    const [olderApp, newerApp] = [new Authenticator(text(older, "secret")), new Authenticator(text(newer, "secret"))];
    const refusals = [
      await confirm(session.access, text(older, "factor_id"), await olderApp.next()),
      await confirm(session.access, text(newer, "factor_id"), await olderApp.next()),
      await confirm(stranger.access, text(newer, "factor_id"), newerApp.at(stepAt(Date.now()))),
    ];
    for (const answer of refusals) {
      expect([400, 401, 403, 404, 409], answer.text).toContain(answer.status);
      expect(answer.body.status).not.toBe("active");
    }
    expect((await factorsOf(session)).factors).toEqual([]);
    const code = newerApp.at(stepAt(Date.now()) + 1);
    expect((await confirm(session.access, text(newer, "factor_id"), code)).status).toBe(200);
  });

  it("refuses factor ids nobody was given", async () => {
    const session = await signedIn(await verifiedPerson());
    await enrol(session.access);
    for (const id of [
      "",
      "'; DROP TABLE factors; --",
      "00000000-0000-4000-8000-000000000000",
      "x".repeat(600),
      "__proto__",
      "../../me",
    ]) {
      const answer = await confirm(session.access, id, "123456");
      expect([400, 401, 404], `${id}: ${answer.text}`).toContain(answer.status);
    }
  });

  it("uses up the step of the code that confirmed", async () => {
    const person = await verifiedPerson();
    const session = await signedIn(person);
    const enrolment = await enrol(session.access);
    const authenticator = new Authenticator(text(enrolment, "secret"));
    const code = authenticator.at(stepAt(Date.now()) + 1);
    expect((await confirm(session.access, text(enrolment, "factor_id"), code)).status).toBe(200);
    expectProblem(await answerChallenge(await challenged(person), code), 401, "invalid_code");
  });
});

describe("more than one authenticator app", () => {
  it("needs fresh proof of the account's highest level: the token from before the first factor is no longer enough", async () => {
    const person = await twoFactorPerson();
    const stale = await enrol(person.session.access);
    expectProblem(stale, 401, "insufficient_user_authentication");
    const header = stale.headers.get("www-authenticate") ?? "";
    expect(header).toMatch(/^Bearer /);
    expect(header).toContain('error="insufficient_user_authentication"');
    expect(header).toContain('acr_values="aal2"');
    expect(header).toMatch(/\bmax_age="?300"?(,|$)/);
    const session = sessionOf(await refreshed(person.session.refresh));
    expect((await enrol(session.access)).status).toBe(201);
  });

  it("never counts a pending one: its codes open nothing until it is confirmed", async () => {
    const person = await twoFactorPerson();
    const session = sessionOf(await refreshed(person.session.refresh));
    const pending = new Authenticator(text(await enrol(session.access), "secret"));
    const challenge = await challenged(person);
    expectProblem(await answerChallenge(challenge, await pending.next()), 401, "invalid_code");
    expect((await answerChallenge(challenge, await person.authenticator.next())).status).toBe(200);
  });

  it("opens with a code of either, up to three active ones", async () => {
    const person = await twoFactorPerson();
    const session = sessionOf(await refreshed(person.session.refresh));
    const apps: Authenticator[] = [];
    for (let i = 2; i <= 3; i++) {
      const enrolment = await enrol(session.access);
      const app = new Authenticator(text(enrolment, "secret"));
      expect((await confirm(session.access, text(enrolment, "factor_id"), await app.next())).status).toBe(200);
      apps.push(app);
    }
    expect(((await factorsOf(session)).factors as unknown[]).length).toBe(3);
    const fourth = await enrol(session.access);
    const refusal =
      fourth.status === 201
        ? await confirm(
            session.access,
            text(fourth, "factor_id"),
            await new Authenticator(text(fourth, "secret")).next(),
          )
        : fourth;
    expectProblem(refusal, 409, "conflict");
    for (const app of [person.authenticator, ...apps]) {
      expect((await answerChallenge(text(await logIn(person), "challenge_token"), await app.next())).status).toBe(200);
    }
  });
});

function isTimeOrNull(value: unknown): boolean {
  return value === null || (typeof value === "string" && !Number.isNaN(Date.parse(value)));
}
