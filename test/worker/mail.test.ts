import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { call, newPerson, newSource } from "../support/in-worker.ts";

afterEach(() => vi.restoreAllMocks());

const registration = () => ({ email: `new.${crypto.randomUUID()}@example.com`, password: "correct horse battery" });
const from = { MAIL_FROM: "Sallyport <auth@example.com>" };

describe("mail", () => {
  it("leaves through the platform's binding", async () => {
    const sent: unknown[] = [];
    const EMAIL = { send: async (message: unknown) => void sent.push(message) };
    const body = registration();
    const bindings = { ...env, ...from, MAIL_TRANSPORT: "binding", EMAIL };
    expect((await call("/auth/register", body, { bindings })).status).toBe(202);
    expect(sent).toMatchObject([{ from: from.MAIL_FROM, to: body.email }]);
  });

  it("leaves by HTTP as JSON with the bearer secret, to the configured address alone", async () => {
    const requests: Request[] = [];
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      requests.push(new Request(input as string, init as RequestInit));
      return new Response("{}", { status: 202 });
    });
    const body = registration();
    const settings = { MAIL_TRANSPORT: "http", MAIL_URL: "https://mail.example.com/send", MAIL_TOKEN: "a mail secret" };
    await call("/auth/register", body, { bindings: { ...env, ...from, ...settings } });
    expect(requests).toHaveLength(1);
    const [request] = requests;
    expect(request?.url).toBe(settings.MAIL_URL);
    expect(request?.headers.get("Authorization")).toBe("Bearer a mail secret");
    const message = (await request?.json()) as Record<string, string>;
    expect(Object.keys(message).sort()).toEqual(["from", "html", "subject", "text", "to"]);
    expect(message).toMatchObject({ from: from.MAIL_FROM, to: body.email });
    expect(message.text).toMatch(/http:\/\/localhost\/verify-email#token=[A-Za-z0-9._~-]+\n/);
    expect(`${message.text}${message.html}`).not.toContain(body.password);
  });

  it.each([
    { provider: "refuses", answer: async () => new Response("no", { status: 500 }) },
    { provider: "is gone", answer: () => Promise.reject(new Error("connection refused")) },
  ])(
    "that does not leave because the provider $provider changes no answer and leaves a line in the log",
    async ({ answer }) => {
      vi.spyOn(globalThis, "fetch").mockImplementation(answer);
      const log = vi.spyOn(console, "log");
      const settings = {
        MAIL_TRANSPORT: "http",
        MAIL_URL: "https://mail.example.com/send",
        MAIL_TOKEN: "a mail secret",
      };
      const failed = await call("/auth/register", registration(), { bindings: { ...env, ...from, ...settings } });
      expect(failed).toMatchObject({ status: 202, body: { status: "verification_sent" } });
      const lines = log.mock.calls.flat().join("\n");
      expect(lines).toContain("mail_not_sent");
      expect(lines).not.toContain("a mail secret");
    },
  );

  it("to a known address says so, goes to the stored address, and carries no link", async () => {
    const person = await newPerson();
    const sent: { to: string; text: string }[] = [];
    const EMAIL = { send: async (message: { to: string; text: string }) => void sent.push(message) };
    const bindings = { ...env, ...from, MAIL_TRANSPORT: "binding", EMAIL };
    const body = { email: person.email.toUpperCase(), password: "correct horse battery" };
    const known = await call("/auth/register", body, { bindings });
    const unknown = await call("/auth/register", registration(), { bindings });
    expect({ status: known.status, text: known.text }).toEqual({ status: unknown.status, text: unknown.text });
    expect(sent[0]).toMatchObject({ to: person.email });
    expect(sent[0]?.text).not.toContain("token=");
  });

  it("to one address stops after three an hour, from one source after ten, and no answer tells", async () => {
    const sent: { to: string }[] = [];
    const EMAIL = { send: async (message: { to: string }) => void sent.push(message) };
    const bindings = { ...env, ...from, MAIL_TRANSPORT: "binding", EMAIL };
    const { password } = registration();
    for (let i = 0; i < 5; i += 1) {
      const email = i % 2 ? "flooded@example.com" : "FLOODED@example.com";
      expect((await call("/auth/register", { email, password }, { bindings })).status).toBe(202);
    }
    expect(sent).toHaveLength(3);
    sent.length = 0;
    const source = newSource();
    for (let i = 0; i < 12; i += 1) {
      expect((await call("/auth/register", registration(), { bindings, source })).status).toBe(202);
    }
    expect(sent).toHaveLength(10);
  });

  it.each(["closed", "invite"])("is not sent where registration is %s, and the answer is the same", async (setting) => {
    const EMAIL = { send: vi.fn() };
    const bindings = { ...env, ...from, MAIL_TRANSPORT: "binding", REGISTRATION: setting, EMAIL };
    const { email } = await newPerson();
    for (const body of [registration(), { ...registration(), email }]) {
      const answered = await call("/auth/register", body, { bindings });
      expect(answered).toMatchObject({ status: 202, text: '{"status":"verification_sent"}' });
    }
    expect(EMAIL.send).not.toHaveBeenCalled();
    expect((await call("/auth/config", undefined, { bindings })).body.registration).toBe(setting);
  });
});
