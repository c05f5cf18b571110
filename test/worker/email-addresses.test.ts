import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { emailKey } from "../../src/directory/email-key.ts";
import type { Message } from "../../src/mail/message.ts";
import { CONFUSING, MALFORMED, TAKEN } from "../support/email-addresses.ts";
import { call, newPerson } from "../support/in-worker.ts";

describe("the key of an address", () => {
  it("is the same in workerd as in the rules' own tests: its URL parser reads domains alike", () => {
    expect(TAKEN.map(([email]) => [email, emailKey(email)])).toEqual(TAKEN);
    const refused = [...CONFUSING.map(([, email]) => email), ...MALFORMED];
    expect(refused.filter((email) => emailKey(email) !== undefined)).toEqual([]);
  });
});

describe("mail", () => {
  const spellings: [string, (email: string) => string][] = [
    ["in capitals", (email) => email.toUpperCase()],
    ["with a capital", (email) => email.replace("p", "P")],
  ];

  /** Asks a route with an address, and reads what it mails. */
  async function mailsOf(path: string, body: object): Promise<Message[]> {
    const mails: Message[] = [];
    const EMAIL = { send: async (message: Message) => void mails.push(message) };
    const from = { MAIL_TRANSPORT: "binding", MAIL_FROM: "Sallyport <auth@example.com>", EMAIL };
    expect((await call(path, body, { bindings: { ...env, ...from } })).status).toBe(202);
    return mails;
  }

  it.each(spellings)(
    "to a known address goes to the stored spelling, and not to the one typed %s",
    async (_, spell) => {
      const { email } = await newPerson();
      const typed = spell(email);
      expect(typed).not.toBe(email);
      const known = await mailsOf("/auth/register", { email: typed, password: "correct horse battery" });
      const proof = await mailsOf("/auth/proof", { email: typed });
      expect([...known, ...proof].map(({ to }) => to)).toEqual([email, email]);
    },
  );

  it("to the Unicode form of a stored A-label domain goes to the A-label", async () => {
    const person = await newPerson();
    const email = `${person.id}@xn--bcher-kva.example`;
    await env.DB.prepare("UPDATE users SET email = ?1, email_key = ?1 WHERE id = ?2").bind(email, person.id).run();
    const [mail] = await mailsOf("/auth/proof", { email: `${person.id}@bücher.example` });
    expect(mail?.to).toBe(email);
  });

  it("goes nowhere for a look-alike of a known address", async () => {
    const { email } = await newPerson();
    for (const domain of ["exаmple.com", "examp1e.com", "example.com.example"]) {
      expect(await mailsOf("/auth/proof", { email: email.replace("example.com", domain) })).toEqual([]);
    }
  });
});
