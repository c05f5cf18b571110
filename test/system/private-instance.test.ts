import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Instance, startInstance } from "../../scripts/instance.mjs";

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance.stop());

interface Answer {
  status: number;
  body: Record<string, string>;
}

let sources = 0;

async function call(path: string, body?: object, source = `10.9.${++sources}.1`): Promise<Answer> {
  const response = await fetch(`${instance.url}${path}`, {
    method: body ? "POST" : "GET",
    headers: { "CF-Connecting-IP": source, ...(body ? { "Content-Type": "application/json" } : {}) },
    body: body ? JSON.stringify(body) : null,
  });
  const text = await response.text();
  return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : {} };
}

async function callAs(bearer: string | undefined, path: string, body: object): Promise<Answer> {
  const response = await fetch(`${instance.url}${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${bearer}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

async function register(): Promise<{ email: string; password: string }> {
  const person = { email: `person${++sources}@example.com`, password: "correct horse battery staple" };
  await call("/auth/register", person);
  for (;;) {
    const box = await fetch(`${instance.url}/dev/mailbox?to=${person.email}`);
    const { messages } = (await box.json()) as { messages: { text: string }[] };
    const token = /#token=(\S+)/.exec(messages[0]?.text ?? "")?.[1];
    if (token) {
      await call("/auth/email/verify", { token, password: person.password });
      return person;
    }
  }
}

it("what guards survives kill -9 of the runtime", async () => {
  const person = await register();
  const first = (await call("/auth/login", person)).body;
  const enrolled = (await callAs(first.access_token, "/auth/2fa/totp/enroll", {})).body;
  const totp = new TOTP({ secret: Secret.fromBase32(enrolled.secret ?? "") });
  const start = Date.now();
  const code = (steps: number) => totp.generate({ timestamp: start + steps * 30_000 });
  await callAs(first.access_token, "/auth/2fa/totp/confirm", { factor_id: enrolled.factor_id, code: code(-1) });
  const second = (await call("/auth/refresh", { refresh_token: first.refresh_token })).body;
  const third = (await call("/auth/refresh", { refresh_token: second.refresh_token })).body;
  const challenge = async () => (await call("/auth/login", person)).body.challenge_token;
  const spent = await challenge();
  await call("/auth/2fa/verify", { challenge_token: spent, method: "totp", code: code(0) });
  const open = await challenge();
  for (let i = 0; i < 4; i += 1)
    await call("/auth/2fa/verify", { challenge_token: open, method: "totp", code: "000000" });
  const attacker = "10.200.0.1";
  for (let i = 0; i < 5; i += 1) await call("/auth/login", { ...person, password: "a wrong password" }, attacker);

  await instance.kill();
  const { state, rootSecret, port } = instance;
  const killed = instance;
  instance = await startInstance({ state, rootSecret, port });

  try {
    const answer = (token: string | undefined, digits: string) =>
      call("/auth/2fa/verify", { challenge_token: token, method: "totp", code: digits });
    expect((await answer(spent, code(1))).body.code).toBe("invalid_challenge");
    expect((await answer(open, code(0))).body).toMatchObject({ code: "invalid_code", attempts_remaining: 0 });
    expect((await answer(open, code(1))).body.code).toBe("invalid_challenge");
    expect((await call("/auth/login", { ...person, password: "a wrong password" }, attacker)).status).toBe(429);
    expect((await call("/auth/refresh", { refresh_token: first.refresh_token })).status).toBe(401);
    expect((await call("/auth/refresh", { refresh_token: third.refresh_token })).status).toBe(401);
    const last = await challenge();
    expect((await answer(last, code(1))).status).toBe(200);
  } finally {
    await instance.stop();
    instance = killed;
  }
});

// The hashes are told apart by their answers: how many sign-ins are answered while one other request waits.
it("another route waits for two or three password hashes, not for all eight", async () => {
  await instance.stop();
  instance = await startInstance();
  await call("/auth/login", { email: "warm@example.com", password: "no such password" });
  let answered = 0;
  const flood = Array.from({ length: 8 }, async (_, i) => {
    const { status } = await call("/auth/login", { email: `nobody${i}@example.com`, password: "no such password" });
    answered += 1;
    return status;
  });
  const waits: number[] = [];
  while (answered < 8) {
    const before = answered;
    expect((await call("/healthz")).status).toBe(200);
    waits.push(answered - before);
  }
  expect(await Promise.all(flood)).toEqual(Array(8).fill(401));
  expect(waits.length).toBeGreaterThan(2);
  expect(Math.max(...waits)).toBeLessThanOrEqual(3);
});
