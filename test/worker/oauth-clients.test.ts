import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Answer, ISSUER, newSource, send } from "../support/in-worker.ts";
import { ask, basic, bindings, exchangeForm, type SignedIn, signedIn, tokenFor } from "./support/oauth.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** The endpoints, each with a form that it grants. */
const ENDPOINTS: [path: string, form: (token: string) => Record<string, string>][] = [
  ["token", (token) => exchangeForm(token)],
  ["introspect", (token) => ({ token })],
  ["revoke", (token) => ({ token })],
];

const formOf = async (make: (token: string) => Record<string, string>, session?: SignedIn) =>
  make(await tokenFor(session ?? (await signedIn())));

/** Sends a body as it is. */
function sendRaw(path: string, body: string, headers: Record<string, string>, method = "POST"): Promise<Answer> {
  const all = { "CF-Connecting-IP": newSource(), Authorization: basic("orders"), ...headers };
  const request = { method, headers: all, ...(method === "POST" ? { body } : {}) };
  return send(new Request(`${ISSUER}/oauth/${path}`, request), bindings);
}

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

function expectError(answer: Answer, status: number, error: string): void {
  expect({ status: answer.status, error: answer.body.error }, answer.text).toEqual({ status, error });
  expect(Object.keys(answer.body)).toEqual(["error", "error_description"]);
  // RFC 6749 §5.2: neither a quote nor a backslash, and ASCII alone.
  expect(answer.body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
  expect(answer.headers.get("Content-Type")).toMatch(/^application\/json\b/);
  expect(answer.headers.get("Cache-Control")).toBe("no-store");
  expect(answer.headers.get("WWW-Authenticate")).toBe(status === 401 ? 'Basic realm="sallyport"' : null);
}

describe.each(ENDPOINTS)("/oauth/%s", (path, make) => {
  it("is for clients that show by HTTP Basic who they are, and refuses all others alike", async () => {
    const form = await formOf(make);
    const secret = atob(basic("orders").slice("Basic ".length)).split(":")[1] ?? "";
    const wrong = {
      nobody: undefined,
      "an unknown client": basic("nobody", secret),
      "a wrong secret": basic("orders", `${secret}0`),
      "another client's secret": basic("orders", atob(basic("billing").slice("Basic ".length)).split(":")[1]),
      "no secret": basic("orders", ""),
      "no colon": `Basic ${btoa("orders")}`,
      "a bearer token": `Bearer ${form.token ?? form.subject_token}`,
      "two of them": `${basic("orders")}, ${basic("orders")}`,
      "a broken encoding": `Basic ${btoa("orders:%zz")}`,
      "no base64": "Basic !!!!",
    };
    const texts = new Set<string>();
    for (const [name, authorization] of Object.entries(wrong)) {
      const answer = await ask(
        path,
        form,
        authorization === undefined ? {} : { headers: { Authorization: authorization } },
      );
      expect(answer.status, name).toBe(401);
      expectError(answer, 401, "invalid_client");
      texts.add(answer.text);
    }
    expect(texts.size).toBe(1);
    expect(
      (await ask(path, form, { headers: { Authorization: basic("orders").replace("Basic", "bASIC") } })).status,
    ).toBe(200);
  });

  it("knows nobody where no clients are set", async () => {
    const answer = await ask(path, await formOf(make), {
      as: "orders",
      bindings: { ...env, CLIENTS: "", AUDIENCES: "" },
    });
    expectError(answer, 401, "invalid_client");
  });

  it("takes a client's credentials in the header and nowhere else", async () => {
    const form = await formOf(make);
    for (const name of ["client_id", "client_secret", "client_assertion", "client_assertion_type"]) {
      expectError(await ask(path, { ...form, [name]: "orders" }, { as: "orders" }), 400, "invalid_request");
    }
    expectError(await ask(path, { ...form, client_id: "orders", client_secret: "x" }), 401, "invalid_client");
    expect((await ask(path, form, { as: "orders" })).status).toBe(200);
  });

  it("takes each parameter once, and reads only what is in the body", async () => {
    const form = await formOf(make);
    const body = new URLSearchParams(form).toString();
    for (const [name, value] of Object.entries(form)) {
      const twice = `${body}&${new URLSearchParams({ [name]: value })}`;
      expectError(await sendRaw(path, twice, FORM), 400, "invalid_request");
    }
    expectError(await sendRaw(path, `${body}&x=%zz`, FORM), 400, "invalid_request");
    expectError(await sendRaw(`${path}?${body}`, "", FORM), 400, "invalid_request");
    expect((await sendRaw(path, `${body}&x=1&y=`, FORM)).status).toBe(200);
  });

  it("takes forms and nothing else, of 16 KiB at most", async () => {
    const body = new URLSearchParams(await formOf(make)).toString();
    const problem = (answer: Answer) => [answer.status, answer.body.code, answer.headers.get("Content-Type")];
    const type = "application/problem+json";
    for (const headers of [
      { "Content-Type": "application/json" },
      { "Content-Type": "multipart/form-data; boundary=x" },
      { "Content-Type": "application/x-www-form-urlencoded2" },
      { "Content-Type": "application/x-www-form-urlencoded; charset=utf-16" },
      { ...FORM, "Content-Encoding": "gzip" },
    ] as Record<string, string>[]) {
      expect(problem(await sendRaw(path, body, headers))).toEqual([415, "unsupported_media_type", type]);
    }
    const padded = (length: number) => `${body}&x=${"x".repeat(length - body.length - 3)}`;
    expect(problem(await sendRaw(path, padded(16 * 1024 + 1), FORM))).toEqual([413, "payload_too_large", type]);
    expect((await sendRaw(path, padded(16 * 1024), FORM)).status).toBe(200);
  });

  it("is nothing that a page of any origin could read, and sets no cookie", async () => {
    const form = await formOf(make);
    const headersOf = ({ headers }: Answer) =>
      [...headers.keys()].filter((name) => name.startsWith("access-control-") || name === "set-cookie");
    const origin = { Origin: ISSUER, "Sec-Fetch-Site": "same-origin" };
    const answer = await ask(path, form, { as: "orders", headers: origin });
    expect(answer.status).toBe(200);
    const preflight = await sendRaw(path, "", { ...origin, "Access-Control-Request-Method": "POST" }, "OPTIONS");
    expect(preflight.status).toBe(405);
    expect([answer, preflight].flatMap(headersOf)).toEqual([]);
    const get = await sendRaw(path, "", {}, "GET");
    expect([get.status, get.headers.get("Allow")]).toEqual([405, "POST"]);
  });

  it("writes one line of log about a refusal, with the precise reason and no secret", async () => {
    const form = await formOf(make);
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line: string) => lines.push(line) as unknown as undefined);
    await ask(path, form, { as: "orders", secret: "hidden" });
    const refusals = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "refused");
    const line = { event: "refused", reason: "client_secret_wrong", status: 401, route: `/oauth/${path}` };
    expect(refusals).toEqual([expect.objectContaining({ ...line, requestId: expect.any(String) })]);
    expect(lines.join()).not.toMatch(/hidden|eyJ/);
  });
});
