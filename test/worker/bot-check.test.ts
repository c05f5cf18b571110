import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { parseConfig } from "../../src/config.ts";
import { siteverify as ask } from "../../src/gate/siteverify.ts";
import { ADDRESS_FAILURES } from "../../src/policy.ts";
import { countingBindings } from "../support/counting.ts";
import { type Answer, type Call, call, logIn, newPerson, newSource, type Person } from "../support/in-worker.ts";

afterEach(() => vi.restoreAllMocks());

const VERIFY_URL = "https://verify.example/siteverify";
const KEYS = { TURNSTILE_SITE_KEY: "0x4AAAsite", TURNSTILE_SECRET: "0x4AAAsecret", TURNSTILE_VERIFY_URL: VERIFY_URL };
const bindings = { ...env, ...KEYS };
const GOOD = { success: true, hostname: "localhost", action: "login", "error-codes": [] };
const NOT_GOOD = { success: false, "error-codes": ["timeout-or-duplicate"] };

/** Answers what is asked of siteverify, and keeps the questions. */
function siteverify(answer: (request: Request) => Promise<Response> | Response | object): Request[] {
  const requests: Request[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input as string, init as RequestInit);
    requests.push(request.clone());
    const given = await answer(request);
    return given instanceof Response ? given : Response.json(given);
  });
  return requests;
}

/** Each token is good once, as Turnstile has it. */
function onceEach(): Request[] {
  const spent = new Set<string>();
  return siteverify(async (request) => {
    const { response } = (await request.json()) as { response: string };
    const isGood = response.startsWith("human") && !spent.has(response);
    spent.add(response);
    return isGood ? GOOD : NOT_GOOD;
  });
}

let tokens = 0;
const newToken = () => `human-${++tokens}`;

/** A sign-in with what the widget gave. */
const signInWith = ({ email, password }: Person, token: string, options: Call = {}) =>
  call("/auth/login", { email, password, proof: { kind: "turnstile", token } }, { bindings, ...options });

const wrong = (person: Person): Person => ({ ...person, password: "not the right password" });

/** Failures from so many sources that the address asks everybody for a proof. */
async function besiege(person: Person): Promise<void> {
  for (let i = 0; i < ADDRESS_FAILURES; i += 1) await logIn(wrong(person), { bindings });
}

function expectProofRequired(answer: Answer, methods = ["mail_link", "turnstile"]): void {
  expect({ status: answer.status, code: answer.body.code, methods: answer.body.methods }, answer.text).toEqual({
    status: 403,
    code: "proof_required",
    methods,
  });
}

describe("a page that may show a bot check", () => {
  it("finds it in the configuration, without the secret", async () => {
    const { body, text } = await call("/auth/config", undefined, { bindings });
    expect(body.bot_check).toEqual({ kind: "turnstile", site_key: KEYS.TURNSTILE_SITE_KEY });
    expect(text).not.toContain(KEYS.TURNSTILE_SECRET);
    expect((await call("/auth/config")).body).not.toHaveProperty("bot_check");
  });

  it("is told that it may be shown when an address asks for a proof, known or not", async () => {
    for (const person of [
      await newPerson(),
      { id: "", email: "nobody.at.all@example.com", password: "x".repeat(20) },
    ]) {
      await besiege(person);
      expectProofRequired(await logIn(person, { bindings }));
      expectProofRequired(await logIn(person), ["mail_link"]);
    }
  });
});

describe("a good bot check", () => {
  it("stands for one try at an address that asks for a proof", async () => {
    onceEach();
    const person = await newPerson();
    await besiege(person);
    const token = newToken();
    expect((await signInWith(wrong(person), token)).body.code).toBe("sign_in_failed");
    expectProofRequired(await signInWith(person, token));
    expectProofRequired(await logIn(person, { bindings }));
    expect((await signInWith(person, newToken())).status).toBe(200);
  });

  it("does not shorten the wait of a pair", async () => {
    onceEach();
    const [person, source] = [await newPerson(), newSource()];
    for (let i = 0; i < 5; i += 1) await signInWith(wrong(person), newToken(), { source });
    const refused = await signInWith(person, newToken(), { source });
    expect(refused.body.code).toBe("too_many_attempts");
    expect((await signInWith(person, newToken())).status).toBe(200);
  });

  it("goes on counting its failures: at a hundred in a row the address is closed to it", async () => {
    onceEach();
    const person = await newPerson();
    await besiege(person);
    for (let i = ADDRESS_FAILURES; i < 100; i += 1) {
      expect((await signInWith(wrong(person), newToken())).body.code, String(i)).toBe("sign_in_failed");
    }
    expect((await signInWith(person, newToken())).body.code).toBe("too_many_attempts");
  });

  it("costs no round trip to storage", async () => {
    onceEach();
    const work = async (bring: (person: Person, bindings: object) => Promise<Answer>) => {
      const person = await newPerson();
      const counted = countingBindings();
      const { status } = await bring(person, { ...counted.bindings, ...KEYS });
      return { status, sequential: counted.sequential(), storage: counted.names().sort() };
    };
    const without = await work((person, counted) => logIn(person, { bindings: counted }));
    expect(await work((person, counted) => signInWith(person, newToken(), { bindings: counted }))).toEqual(without);
  });
});

describe("what leaves for siteverify", () => {
  it("is the token and the secret, once, and nothing of the address, the password or the client", async () => {
    const requests = onceEach();
    const [person, source, token] = [await newPerson(), newSource(), newToken()];
    await signInWith(person, token, { source });
    expect(requests).toHaveLength(1);
    const [request] = requests as [Request];
    expect([request.url, request.method, request.redirect]).toEqual([VERIFY_URL, "POST", "manual"]);
    expect(await request.json()).toEqual({ secret: KEYS.TURNSTILE_SECRET, response: token });
    expect([...request.headers].sort()).toEqual([
      ["content-type", "application/json"],
      ["user-agent", "Sallyport"],
    ]);
  });

  it("is nothing for a sign-in without one, or where none is offered: that is refused with its place", async () => {
    const requests = onceEach();
    const person = await newPerson();
    await logIn(person, { bindings });
    const refused = await signInWith(person, newToken(), { bindings: env });
    expect(refused.status).toBe(400);
    expect(refused.body.errors).toEqual([{ path: "proof.kind", message: "is not one that this service offers" }]);
    expect(requests).toEqual([]);
  });
});

describe("a bot check that is not good", () => {
  it.each<[string, object]>([
    ["is spent or expired", NOT_GOOD],
    ["was made for another form", { ...GOOD, action: "newsletter" }],
    ["has no verdict but a hint", { ...GOOD, success: false, "error-codes": undefined }],
  ])("because it %s is refused before anything is asked, and its client pays", async (_, verdict) => {
    siteverify(() => verdict);
    const person = await newPerson();
    const counted = countingBindings();
    expectProofRequired(await signInWith(person, newToken(), { bindings: { ...counted.bindings, ...KEYS } }));
    expect(counted.names().filter((name) => name !== "gate.report")).toEqual(["gate.spend"]);
  });

  it("because it was made on a page of somebody else is refused", async () => {
    const ISSUER = "https://auth.example.com";
    const mail = {
      MAIL_TRANSPORT: "http",
      MAIL_URL: "https://mail.example/",
      MAIL_TOKEN: "t",
      MAIL_FROM: "a@example.com",
    };
    const config = parseConfig({ ...KEYS, ...mail, ISSUER, ALLOWED_ORIGINS: "https://shop.example.org" });
    if ("problems" in config || !config.botCheck) throw new Error(JSON.stringify(config));
    for (const [hostname, isGood] of [
      ["auth.example.com", true],
      ["shop.example.org", true],
      ["evil.example", false],
      ["auth.example.com.evil.example", false],
      ["", false],
      [undefined, false],
    ]) {
      siteverify(() => ({ ...GOOD, hostname }));
      expect(await ask(config.botCheck, "human"), String(hostname)).toBe(isGood);
      vi.restoreAllMocks();
    }
  });
});

describe("siteverify, when it is of no use,", () => {
  const hanging = (request: Request) =>
    new Promise<Response>((_, reject) => {
      request.signal.addEventListener("abort", () => reject(request.signal.reason));
    });

  it.each<[string, (request: Request) => Promise<Response> | Response | object]>([
    ["is down", () => Promise.reject(new TypeError(`cannot load ${VERIFY_URL}`))],
    ["fails", () => new Response("no", { status: 500 })],
    ["sends elsewhere", () => Response.redirect("https://elsewhere.example/", 302)],
    ["answers with a page", () => new Response("<html>Sign in to this network</html>")],
    ["answers with another shape", () => ({ success: "yes" })],
    ["answers with nothing", () => new Response("null")],
    ["answers without end", () => new Response(`{"success":true,"x":"${"a".repeat(20_000)}"}`)],
    ["does not know the secret", () => ({ success: false, "error-codes": ["invalid-input-secret"] })],
    ["hangs", hanging],
  ])("because it %s speaks for nobody, keeps nobody out, and is a line in the log", async (_, answer) => {
    const person = await newPerson();
    await besiege(person);
    const requests = siteverify(answer);
    const log = vi.spyOn(console, "log");
    const token = newToken();
    expectProofRequired(await signInWith(person, token));
    expect(requests).toHaveLength(1);
    const lines = log.mock.calls.flat().filter((line) => String(line).includes("bot_check_unavailable"));
    expect(lines).toHaveLength(1);
    for (const secret of [token, KEYS.TURNSTILE_SECRET]) expect(log.mock.calls.flat().join()).not.toContain(secret);
    expect((await signInWith(await newPerson(), newToken())).status).toBe(200);
  });
});
