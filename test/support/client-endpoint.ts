import { expect, it } from "vitest";
import { type Answer, expectProblem, ordinaryLines, ownPage, send, sendRaw } from "./client.ts";
import { BILLING, basic, expectOAuthError, ORDERS, postForm, type ServiceClient } from "./service-clients.ts";

/** An endpoint for clients, and an example of a request that it grants. */
export interface Endpoint {
  path: string;
  client: ServiceClient;
  /** A form that is granted, a new one each time. */
  form: () => Promise<Record<string, string>>;
  /** Asserts that it was granted. */
  granted: (answer: Answer) => void;
  /** Asserts that nothing has come of the refused requests with this form. */
  untouched: (form: Record<string, string>) => Promise<void>;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** Registers what the three endpoints for clients have in common: who may ask, and how. */
export function itTakesClientsAndForms({ path, client, form, granted, untouched }: Endpoint): void {
  const ask = async (fields: Record<string, string>, headers: Record<string, string>) =>
    postForm(path, fields, undefined, { headers });

  it("asks who the client is before anything else", async () => {
    const fields = await form();
    const plain = base64(`${client.id}:${client.secret}`);
    const credentials = {
      nobody: {},
      "an unknown client": { authorization: basic({ id: "nobody", secret: client.secret }) },
      "a wrong secret": { authorization: basic({ ...client, secret: `${client.secret}.` }) },
      "no secret": { authorization: basic({ ...client, secret: "" }) },
      "another client's secret": {
        authorization: basic({ ...client, secret: (client === ORDERS ? BILLING : ORDERS).secret }),
      },
      "the id in capitals": { authorization: basic({ ...client, id: client.id.toUpperCase() }) },
      "no colon": { authorization: `Basic ${base64(client.id)}` },
      "nothing at all": { authorization: "Basic" },
      "no base64": { authorization: `Basic ${client.id}:${client.secret}`.replace(/[^\x20-\x7e]/g, "?") },
      "another scheme": { authorization: `Bearer ${plain}` },
      "a list": { authorization: `${basic(client)}, ${basic(client)}` },
      "a broken escape": { authorization: `Basic ${base64(`${client.id}:%zz`)}` },
      "bytes that are no UTF-8": { authorization: `Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString("base64")}` },
    } as Record<string, Record<string, string>>;
    for (const [name, headers] of Object.entries(credentials)) {
      const answer = await ask(fields, headers);
      expect({ name, status: answer.status }).toEqual({ name, status: 401 });
      expectOAuthError(answer, 401, "invalid_client");
      expect(answer.text, name).not.toContain(client.secret);
    }
    await untouched(fields);
    granted(await postForm(path, fields, client));
    granted(await ask(await form(), { authorization: basic(client).replace("Basic", "bAsIC") }));
  });

  it("takes no credentials in the form, with or without the header", async () => {
    const fields = await form();
    for (const more of [
      { client_id: client.id, client_secret: client.secret },
      { client_secret: client.secret },
      { client_assertion: "a.b.c", client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" },
    ] as Record<string, string>[]) {
      expectOAuthError(await postForm(path, { ...fields, ...more }, client), 400, "invalid_request");
      const bare = await postForm(path, { ...fields, ...more }, undefined);
      expectOAuthError(bare, bare.status === 400 ? 400 : 401, ["invalid_client", "invalid_request"]);
    }
    await untouched(fields);
    granted(await postForm(path, fields, client));
  });

  it("takes two Authorization headers for none", async () => {
    const body = new URLSearchParams(await form()).toString();
    const lines = (authorizations: string[]): [string, string][] => [
      ...ordinaryLines(),
      ["Content-Type", "application/x-www-form-urlencoded"],
      ["Content-Length", String(body.length)],
      ...authorizations.map((value): [string, string] => ["Authorization", value]),
    ];
    const wrong = basic({ ...client, secret: "another" });
    for (const pair of [
      [basic(client), wrong],
      [wrong, basic(client)],
    ]) {
      const answer = await sendRaw("POST", path, lines(pair), [body]);
      expect([400, 401], answer.text).toContain(answer.status);
      expectOAuthError(answer, answer.status, ["invalid_client", "invalid_request"]);
    }
    granted(await sendRaw("POST", path, lines([basic(client)]), [body]));
  });

  it("refuses a parameter that comes twice, whichever it is, and one that is missing", async () => {
    const fields = await form();
    for (const name of Object.keys(fields)) {
      const twice: [string, string][] = [...Object.entries(fields), [name, fields[name] ?? ""]];
      expectOAuthError(await postForm(path, twice, client), 400, "invalid_request");
      if (name === "token_type_hint") continue;
      const { [name]: _, ...rest } = fields;
      expectOAuthError(await postForm(path, rest, client), 400, "invalid_request");
      expectOAuthError(await postForm(path, { ...rest, [name]: "" }, client), 400, "invalid_request");
    }
    expectOAuthError(await postForm(path, [...Object.entries(fields), ["x", "1"], ["x", "1"]], client), 400, [
      "invalid_request",
    ]);
    expectOAuthError(await postForm(path, "", client), 400, "invalid_request");
    const query = new URLSearchParams(fields).toString();
    expectOAuthError(await postForm(`${path}?${query}`, "", client), 400, "invalid_request");
    await untouched(fields);
    // "Unrecognized request parameters" are ignored, those "sent without a value" are none (RFC 6749 §3.2).
    granted(await postForm(path, { ...fields, x: "1", y: "" }, client));
  });

  it("refuses what is no form, and one that is too long", async () => {
    const fields = await form();
    const authorization = basic(client);
    const sent = async (type: string, body: string) =>
      send("POST", path, body, { headers: { authorization, "content-type": type } });
    const encoded = new URLSearchParams(fields).toString();
    expectProblem(await sent("application/json", JSON.stringify(fields)), 415, "unsupported_media_type");
    for (const type of ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded2"])
      expectProblem(await sent(type, encoded), 415, "unsupported_media_type");
    const long = await postForm(path, { ...fields, x: "x".repeat(16 * 1024) }, client);
    expect(long.status, long.text).toBe(413);
    await untouched(fields);
    granted(await sent("Application/X-WWW-Form-URLEncoded; charset=UTF-8", encoded));
  });

  it("is for POST only, and nothing that a page of another origin could read", async () => {
    const fields = await form();
    for (const method of ["GET", "PUT", "DELETE"]) {
      const answer = await send(method, path, undefined, { headers: { authorization: basic(client) } });
      expectProblem(answer, 405, "method_not_allowed");
      expect(answer.headers.get("allow")).toContain("POST");
    }
    const cors = (answer: Answer) => [...answer.headers.keys()].filter((name) => name.startsWith("access-control-"));
    const preflight = await send("OPTIONS", path, undefined, {
      headers: {
        ...ownPage,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
      },
    });
    expect(cors(preflight)).toEqual([]);
    expect(cors(await postForm(path, fields, client, { headers: ownPage }))).toEqual([]);
    expect(cors(await postForm(path, {}, undefined, { headers: { origin: "https://evil.example" } }))).toEqual([]);
    const answer = await postForm(path, await form(), client);
    granted(answer);
    expect(answer.headers.get("cache-control")).toMatch(/\bno-store\b/);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(cors(answer)).toEqual([]);
  });
}
