import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { emailKey } from "../../src/directory/email-key.ts";
import { seal } from "../../src/keys/seal.ts";
import { type Answer, call, ISSUER, logIn, newPerson, newSource, ring, send } from "../support/in-worker.ts";
import { costOf, numbers } from "./support/costs.ts";
import { accept, CHOSEN, invitationOf, inviteAsOperator, newAddress } from "./support/invitations.ts";
import { DAY, MINUTE, pass, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

const accountsOf = (email: string) =>
  env.DB.prepare("SELECT COUNT(*) AS n FROM users WHERE email_key = ?").bind(emailKey(email)).first("n");
const reserve = (email: string, until: number) =>
  env.DB.prepare("INSERT INTO reserved_emails VALUES (?, ?, ?)")
    .bind(emailKey(email), crypto.randomUUID(), until)
    .run();
const signsIn = async (email: string, password: string) => (await logIn({ id: "", email, password })).status === 200;
/** An answer without what differs from request to request. */
const shown = ({ status, text, body }: Answer) => [status, text.replace(String(body.request_id), "-")];

describe("an operator's invitation", () => {
  it("is a link for the address as it was written, good for a week, and makes an account that signs in", async () => {
    const email = newAddress();
    const { outcome, mails } = await inviteAsOperator(email, { REGISTRATION: "invite" });
    expect(outcome).toEqual({ kind: "invited" });
    expect(mails).toMatchObject([{ to: email }]);
    const token = /http:\/\/localhost\/accept-invitation#token=([A-Za-z0-9._~-]+)\n/.exec(mails[0]?.text ?? "")?.[1];
    pass(7 * DAY - MINUTE);
    const accepted = await accept(token);
    expect(shown(accepted)).toEqual([200, '{"status":"verified"}']);
    expect(accepted.headers.get("Set-Cookie")).toBeNull();
    expect(await signsIn(email.toLowerCase(), CHOSEN)).toBe(true);
    expect(await env.DB.prepare("SELECT email FROM users WHERE email_key = ?").bind(emailKey(email)).first()).toEqual({
      email,
    });
  });

  it("is refused, and mails nothing, where the address has an account in any spelling", async () => {
    const { email } = await newPerson();
    for (const spelling of [email, email.toUpperCase()]) {
      expect(await inviteAsOperator(spelling)).toEqual({ outcome: { refused: "address_taken" }, mails: [] });
    }
  });

  it("is refused, and mails nothing, while the address is kept for somebody", async () => {
    const email = newAddress();
    await reserve(email, Date.now() + DAY);
    expect(await inviteAsOperator(email)).toEqual({ outcome: { refused: "address_taken" }, mails: [] });
    pass(DAY);
    expect((await inviteAsOperator(email)).outcome).toEqual({ kind: "invited" });
  });

  it.each(["", "ada", "ada@localhost", "\u212aate@example.com", "ada@example.com\r\nBcc: eve@evil.example"])(
    "is refused, and mails nothing, for %j",
    async (email) => {
      const { outcome, mails } = await inviteAsOperator(email);
      expect(outcome).toEqual({
        refused: "malformed_body",
        errors: [{ path: "email", message: "must be an email address" }],
      });
      expect(mails).toEqual([]);
    },
  );
});

describe("an invitation that is accepted", () => {
  it.each(["open", "invite", "closed"])("works where registration is %s by now", async (REGISTRATION) => {
    const email = newAddress();
    const token = await invitationOf(email);
    expect((await accept(token, CHOSEN, { bindings: { ...env, REGISTRATION } })).status).toBe(200);
    expect(await accountsOf(email)).toBe(1);
  });

  it("works once, and changes nothing the second time", async () => {
    const email = newAddress();
    const token = await invitationOf(email);
    expect((await accept(token)).status).toBe(200);
    expect((await accept(token, "another long password")).body.code).toBe("invalid_link");
    expect(await signsIn(email, "another long password")).toBe(false);
    expect(await signsIn(email, CHOSEN)).toBe(true);
  });

  it("makes one account when it is accepted twenty times at once, with the password of the one that won", async () => {
    const email = newAddress();
    const token = await invitationOf(email);
    const passwords = Array.from({ length: 20 }, (_, i) => `long password number ${i}`);
    const answers = await Promise.all(passwords.map((password) => accept(token, password)));
    const winners = passwords.filter((_, i) => answers[i]?.status === 200);
    expect(winners).toHaveLength(1);
    // Eight found a place for a hash.
    expect(answers.filter(({ body }) => body.code === "invalid_link")).toHaveLength(7);
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(12);
    expect(await accountsOf(email)).toBe(1);
    expect(await signsIn(email, winners[0] ?? "")).toBe(true);
  });

  it.each([
    ["too_short", "short"],
    ["too_common", "qwertyuiopasdf"],
    ["contains_context", "invited.person@example.com"],
    ["ill_formed", "a lone \ud800 surrogate"],
    ["too_long", "x".repeat(129)],
  ])("leaves the link good for another password: %s", async (reason, password) => {
    const email = `invited.person@example.com`;
    await env.DB.prepare("DELETE FROM users WHERE email_key = ?").bind(email).run();
    const token = await invitationOf(email);
    expect(await accept(token, password)).toMatchObject({ status: 422, body: { code: "weak_password", reason } });
    expect(await accountsOf(email)).toBe(0);
    expect((await accept(token)).status).toBe(200);
  });

  it("is asked for breaches like any new password", async () => {
    const fetch = vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response(""));
    const bindings = { ...env, BREACH_CHECK_URL: "https://ranges.example/range/" };
    expect((await accept(await invitationOf(newAddress()), CHOSEN, { bindings })).status).toBe(200);
    expect(fetch).toHaveBeenCalledTimes(1);
    fetch.mockRestore();
  });

  it.each(["GET", "HEAD", "PUT"])("is not used up by %s", async (method) => {
    const token = await invitationOf(newAddress());
    const url = `${ISSUER}/auth/invitation/accept?token=${token}`;
    const looked = await send(new Request(url, { method, headers: { "CF-Connecting-IP": newSource() } }));
    expect([looked.status, looked.headers.get("Allow")]).toEqual([405, "POST"]);
    expect((await accept(token)).status).toBe(200);
  });
});

describe("an invitation that is dead", () => {
  /** Every way to be dead, and the token that is. */
  const DEAD: Record<string, () => Promise<string>> = {
    used: async () => {
      const token = await invitationOf(newAddress());
      await accept(token);
      return token;
    },
    expired: async () => invitationOf(newAddress(), Date.now()),
    "overtaken by another one to the same address": async () => {
      const email = newAddress();
      await accept(await invitationOf(email.toUpperCase()));
      return invitationOf(email);
    },
    "to an address that somebody keeps by now": async () => {
      const email = newAddress();
      await reserve(email, Date.now() + DAY);
      return invitationOf(email);
    },
    mangled: async () => {
      const token = await invitationOf(newAddress());
      return token.slice(0, 60) + (token[60] === "A" ? "B" : "A") + token.slice(61);
    },
    cut: async () => (await invitationOf(newAddress())).slice(0, -4),
    empty: async () => "",
  };

  it("is answered with the same bytes whatever it died of, and whatever the password", async () => {
    const answers: Answer[] = [];
    for (const dead of Object.values(DEAD)) {
      answers.push(await accept(await dead()), await accept(await dead(), "short"));
    }
    expect(new Set(answers.map((answer) => JSON.stringify(shown(answer)))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 400, body: { code: "invalid_link" } });
  });

  it("makes no account of an address that is reserved between the first look and the insert", async () => {
    const email = newAddress();
    const token = await invitationOf(email);
    await reserve(email, Date.now() + DAY);
    // The first look finds nothing: it comes before the reservation.
    const prepare = (query: string) => env.DB.prepare(query.replace(/^SELECT.*/, "SELECT 1 WHERE ?1 = ?2"));
    const refused = await accept(token, CHOSEN, { bindings: { ...env, DB: { prepare } } });
    expect(refused.body.code).toBe("invalid_link");
    expect(await accountsOf(email)).toBe(0);
  });
});

describe("a link of another purpose", () => {
  const OTHERS = [
    "register",
    "proof",
    "reset_password",
    "change_email",
    "undo_email",
    "freeze",
    "recovery_confirm",
    "recovery_cancel",
    "recovery_finish",
    "deletion_cancel",
  ];

  it.each(OTHERS)("invites nobody: %s", async (purpose) => {
    const keys = await ring();
    const sealedAs = (name: string, payload: object) => {
      const link = { payload, expiresAt: Date.now() + DAY, epoch: keys.epoch };
      return seal(keys.active("link"), new TextEncoder().encode(JSON.stringify(link)), `link:${name}`);
    };
    const email = newAddress();
    expect((await accept(await sealedAs(purpose, { email }))).body.code).toBe("invalid_link");
    expect(await accountsOf(email)).toBe(0);
    // What it is sealed as is all that is wrong with it.
    expect((await accept(await sealedAs("invitation", { email }))).status).toBe(200);
  });

  it("is what an invitation is anywhere else", async () => {
    const [email, token] = [newAddress(), await invitationOf(newAddress())];
    expect((await call("/auth/email/verify", { token, password: CHOSEN })).body.code).toBe("invalid_link");
    const proof = { kind: "mail_link", token };
    const refused = await call("/auth/login", { email, password: CHOSEN, proof });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect((await accept(token)).status).toBe(200);
  });
});

describe("whoever makes invitations up", () => {
  it.each([
    ["a forged token", { token: "A".repeat(200), password: CHOSEN }],
    ["a malformed body", { token: "A".repeat(200), password: 1 }],
  ])("has a failure counted for %s, and closes nobody's invitation", async (_, body) => {
    const [person, source] = [await newPerson(), newSource()];
    for (let i = 0; i < 20; i += 1) await call("/auth/invitation/accept", body, { source });
    expect((await logIn(person, { source })).body.code).toBe("too_many_attempts");
    expect((await accept(await invitationOf(newAddress()), CHOSEN, { source })).status).toBe(200);
  });
});

describe("what accepting costs", () => {
  const pepperUses = async (work: () => Promise<unknown>) => {
    const pepper = (await ring()).active("pepper").key;
    const sign = vi.spyOn(crypto.subtle, "sign");
    await work();
    const hashes = sign.mock.calls.filter(([, key]) => key === pepper).length;
    sign.mockRestore();
    return hashes;
  };

  it("a look and an insert, one after the other: no object, and the rows of an account", async () => {
    const token = await invitationOf(newAddress());
    const cost = await costOf((options) => accept(token, CHOSEN, options));
    expect(cost.calls).toEqual(["d1.first", "d1.first"]);
    // The row and its address.
    expect(numbers(cost)).toEqual({ status: 200, sequential: 2, objects: 0, d1: 2 });
  });

  it("a used link: the look alone, and no hash", async () => {
    const token = await invitationOf(newAddress());
    expect(await pepperUses(() => accept(token))).toBe(1);
    expect(await pepperUses(() => accept(token))).toBe(0);
    const cost = await costOf((options) => accept(token, CHOSEN, options), { after: ["gate.report"] });
    expect(cost).toMatchObject({ answer: { status: 400 }, sequential: 1, rows: { d1: 0 } });
    expect(cost.calls).not.toContain("gate.report");
  });
});
