import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { breachPlaceOf } from "../../src/passwords/breach-range.ts";
import { call, newPerson } from "../support/in-worker.ts";

afterEach(() => vi.restoreAllMocks());

const URL_OF_RANGES = "https://ranges.example/range/";
const bindings = { ...env, BREACH_CHECK_URL: URL_OF_RANGES };
const PASSWORD = "correct horse battery";
const OTHERS = "0018A45C4D1DEF81644B54AB7F969B88D65:3\r\n00D4F6E8FA6EECAD2A3AA415EEC418D38EC:0\r\n";

const newEmail = () => `new.${crypto.randomUUID()}@example.com`;
const register = (email: string, password = PASSWORD) => call("/auth/register", { email, password }, { bindings });

/** Answers every request of the service with what `answer` makes of it, and keeps the requests. */
function rangeApi(answer: (request: Request) => Promise<Response> | Response): Request[] {
  const requests: Request[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input as string, init as RequestInit);
    requests.push(request);
    return answer(request);
  });
  return requests;
}

const rangeWith = async (password: string, count = 1) =>
  `${OTHERS}${(await breachPlaceOf(password)).suffix}:${count}\r\n`;

describe("a new password of a known breach", () => {
  it("is refused with its reason, the same for a known and an unknown address", async () => {
    rangeApi(async () => new Response(await rangeWith(PASSWORD)));
    const refused = [await register((await newPerson()).email), await register(newEmail())];
    const shown = refused.map(({ status, text, body }) => [status, text.replace(String(body.request_id), "-")]);
    expect(shown[0]).toEqual(shown[1]);
    expect(refused[0]).toMatchObject({ status: 422, body: { code: "weak_password", reason: "breached" } });
  });

  it("is looked up in its normal form, whatever keyboard it was typed on", async () => {
    const typed = "Ångström café naïve";
    const range = await rangeWith(typed.normalize("NFKC"));
    rangeApi(() => new Response(range));
    expect((await register(newEmail(), typed.normalize("NFD"))).body.reason).toBe("breached");
  });

  it("is taken when the range holds others, or its name as padding alone", async () => {
    rangeApi(async () => new Response(await rangeWith(PASSWORD, 0)));
    expect((await register(newEmail())).status).toBe(202);
  });
});

describe("what leaves for the range API", () => {
  it("is five digits, and nothing of the password, the address or the client", async () => {
    const requests = rangeApi(() => new Response(OTHERS));
    const email = newEmail();
    await register(email);
    const { prefix, suffix } = await breachPlaceOf(PASSWORD);
    expect(requests).toHaveLength(1);
    const [request] = requests as [Request];
    expect(request.url).toBe(`${URL_OF_RANGES}${prefix}`);
    expect(request.url).toMatch(/\/[0-9A-F]{5}$/);
    expect([request.method, request.body, request.redirect]).toEqual(["GET", null, "manual"]);
    expect([...request.headers].sort()).toEqual([
      ["add-padding", "true"],
      ["user-agent", "Sallyport"],
    ]);
    expect(`${request.url}${JSON.stringify([...request.headers])}`).not.toContain(suffix.slice(0, 8));
  });

  it("is nothing for a password that the policy refuses, for a sign-in, or without the setting", async () => {
    const requests = rangeApi(() => new Response(OTHERS));
    const person = await newPerson();
    expect((await register(newEmail(), "short")).body.reason).toBe("too_short");
    await call("/auth/login", { email: person.email, password: person.password }, { bindings });
    await call("/auth/register", { email: newEmail(), password: PASSWORD });
    expect(requests).toEqual([]);
  });
});

describe("a range API that is of no use", () => {
  const hanging = (request: Request) =>
    new Promise<Response>((_, reject) => {
      request.signal.addEventListener("abort", () => reject(request.signal.reason));
    });
  const dripping = (request: Request) => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(OTHERS));
        request.signal.addEventListener("abort", () => controller.error(request.signal.reason));
      },
    });
    return new Response(body);
  };

  it.each([
    ["is down", () => Promise.reject(new TypeError(`cannot load ${URL_OF_RANGES}0F6E8`)), "TypeError"],
    ["refuses", () => new Response("no", { status: 503 }), "503"],
    ["sends elsewhere", () => Response.redirect("https://elsewhere.example/", 302), "302"],
    ["knows no such range", () => new Response("", { status: 404 }), "404"],
    ["answers with a page", () => new Response("<html>Sign in to this network</html>"), "something else than a range"],
    ["hangs", hanging, "TimeoutError"],
    ["hangs half-way", dripping, "TimeoutError"],
  ])("because it %s keeps nobody from registering, and leaves a line in the log", async (_, answer, reason) => {
    const requests = rangeApi(answer as (request: Request) => Promise<Response>);
    const log = vi.spyOn(console, "log");
    const started = Date.now();
    expect((await register(newEmail())).status).toBe(202);
    expect(Date.now() - started).toBeLessThan(5_000);
    expect(requests).toHaveLength(1);
    const lines = log.mock.calls.flat().filter((line) => String(line).includes("breach_check_failed"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(reason);
    const { prefix } = await breachPlaceOf(PASSWORD);
    for (const secret of [prefix, PASSWORD, "0F6E8"]) expect(lines[0]).not.toContain(secret);
  });

  it("because it answers without end is not read to its end", async () => {
    const chunk = new TextEncoder().encode(`${OTHERS.slice(0, 37)}\r\n`.repeat(1_000));
    const read = { bytes: 0, cancelled: false };
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        read.bytes += chunk.length;
        controller.enqueue(chunk);
      },
      cancel() {
        read.cancelled = true;
      },
    });
    rangeApi(() => new Response(endless));
    const log = vi.spyOn(console, "log");
    expect((await register(newEmail())).status).toBe(202);
    expect(log.mock.calls.flat().join()).toContain("more than any range holds");
    expect(read.cancelled).toBe(true);
    expect(read.bytes).toBeLessThan(500_000);
  });
});
