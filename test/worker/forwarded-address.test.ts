import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { clientNetwork } from "../../src/gate/network.ts";
import { digestOfSecret } from "../../src/keys/secret-digest.ts";
import { visitFrom, visitOf } from "../../src/visit.ts";
import { type Answer, type Call, call, logIn, newPerson, newSource, type Person, send } from "../support/in-worker.ts";

const SECRETS: Record<string, string> = { pages: "5f0c1d7a".repeat(8), reports: "b3e88a21".repeat(8) };
const CLIENTS = JSON.stringify([
  { id: "pages", audience: "shop", secret_digest: digestOfSecret(SECRETS.pages ?? ""), forwards_address: true },
  { id: "reports", audience: "shop", secret_digest: digestOfSecret(SECRETS.reports ?? "") },
]);
const bindings = { ...env, AUDIENCES: "shop", CLIENTS };
const HEADER = "Sallyport-Client-Address";
/** The back end's own address: all of its users would be one client behind it. */
const BACK_END = newSource();

const basic = (id: string, secret = SECRETS[id] ?? "") => `Basic ${btoa(`${id}:${secret}`)}`;

/** Headers of a back end that forwards an address. */
const forwarding = (address: string, authorization: string | undefined = basic("pages")) => ({
  [HEADER]: address,
  ...(authorization === undefined ? {} : { Authorization: authorization }),
});

/** A sign-in through the back end. */
const signInVia = (person: Person, headers: Record<string, string>, options: Call = {}) =>
  logIn(person, { source: BACK_END, bindings, headers, ...options });

const wrong = (person: Person): Person => ({ ...person, password: "not the right password" });

async function failFive(person: Person, headers: () => Record<string, string>): Promise<void> {
  for (let i = 0; i < 5; i += 1) expect((await signInVia(wrong(person), headers())).status).toBe(401);
}

/** Refused, and nothing was tried: the right password of an account did not open it. */
function expectRefused(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body.code }, answer.text).toEqual({ status, code });
  expect(answer.body.access_token).toBeUndefined();
}

describe("an address that a back end forwards", () => {
  it("is the one that failures count for, and the back end's own is not", async () => {
    const person = await newPerson();
    const user = newSource();
    await failFive(person, () => forwarding(user));
    expect((await signInVia(person, forwarding(user))).status).toBe(429);
    // The same user without the back end is the same client; another one behind the back end is not.
    expect((await logIn(person, { source: user, bindings })).status).toBe(429);
    expect((await signInVia(person, forwarding(newSource()))).status).toBe(200);
    expect((await logIn(person, { source: BACK_END, bindings })).status).toBe(200);
  });

  it("is one client in all of its spellings", async () => {
    const person = await newPerson();
    const v6 = ["2001:db8:77:1::5", "2001:0DB8:0077:0001:0:0:0:6", "2001:db8:77:1:ffff::", "2001:db8:77:1::192.0.2.9"];
    for (const address of [...v6, "2001:db8:77:1::5"]) {
      expect((await signInVia(wrong(person), forwarding(address))).status).toBe(401);
    }
    expect((await signInVia(person, forwarding("2001:db8:77:1::ffff"))).status).toBe(429);
    const other = await newPerson();
    const mapped = ["198.51.100.9", "::ffff:198.51.100.9", "::FFFF:c633:6409", "198.51.100.9", "198.51.100.9"];
    for (const address of mapped) expect((await signInVia(wrong(other), forwarding(address))).status).toBe(401);
    expect((await signInVia(other, forwarding("198.51.100.9"))).status).toBe(429);
  });

  it("makes no browser of a back end: tokens come in the body", async () => {
    const answer = await signInVia(await newPerson(), forwarding(newSource()));
    expect(answer.body.refresh_token).toMatch(/^rt_/);
    expect(answer.headers.get("Set-Cookie")).toBeNull();
  });

  it.each<[string, string, number, string]>([
    ["without credentials", "", 401, "invalid_client"],
    ["of an unknown client", basic("nobody", SECRETS.pages), 401, "invalid_client"],
    ["with a wrong secret", basic("pages", `${SECRETS.pages}0`), 401, "invalid_client"],
    ["with another client's secret", basic("pages", SECRETS.reports), 401, "invalid_client"],
    ["with a token in their place", "Bearer abc.def.ghi", 401, "invalid_client"],
    ["of a client that may not", basic("reports"), 403, "forbidden"],
  ])("%s is refused, whatever the password", async (_, authorization, status, code) => {
    const answer = await signInVia(await newPerson(), forwarding(newSource(), authorization));
    expectRefused(answer, status, code);
    const realm = status === 401 ? 'Basic realm="sallyport"' : null;
    expect(answer.headers.get("WWW-Authenticate")).toBe(realm);
  });

  it.each([
    ...["", "unknown", "198.51.100.256", "198.51.100", "198.51.100.7:443", "198.51.100.07", "0x7f000001", "2130706433"],
    ...["[2001:db8::1]", "2001:db8::1%eth0", "2001:db8::/64", "198.51.100.7, 198.51.100.8", "2001:db8:::1", "::1::2"],
    ...["::ffff:198.51.100.010", "for=198.51.100.7", "198.51.100.7;", "example.com"],
  ])("%j is none, and is refused with what to send", async (address) => {
    const answer = await signInVia(await newPerson(), forwarding(address));
    expectRefused(answer, 400, "invalid_request");
    expect(answer.body.errors).toEqual([{ path: HEADER, message: "must be one IPv4 or IPv6 address, without a port" }]);
  });

  it("that stands there twice is refused", async () => {
    const { email, password } = await newPerson();
    const headers = new Headers({ "Content-Type": "application/json", "CF-Connecting-IP": BACK_END });
    headers.set("Authorization", basic("pages"));
    for (const address of [newSource(), newSource()]) headers.append(HEADER, address);
    const body = JSON.stringify({ email, password });
    const answer = await send(new Request("http://localhost/auth/login", { method: "POST", headers, body }), bindings);
    expectRefused(answer, 400, "invalid_request");
  });

  it("is taken nowhere else, and where a token is asked for the client's secret is none", async () => {
    const options = { source: BACK_END, bindings, headers: forwarding(newSource()) };
    for (const [path, method] of [
      ["/auth/config", "GET"],
      ["/healthz", "GET"],
      ["/oauth/introspect", "POST"],
    ]) {
      const answer = await call(path ?? "", method === "POST" ? {} : undefined, { ...options, method: method ?? "" });
      expectRefused(answer, 400, "invalid_request");
    }
    expectRefused(await call("/auth/step-up", {}, options), 401, "invalid_token");
  });

  it("under any other name is never read", async () => {
    const person = await newPerson();
    const claimed = () => ({
      "X-Forwarded-For": newSource(),
      "X-Real-IP": newSource(),
      Forwarded: `for=${newSource()}`,
      "True-Client-IP": newSource(),
      "X-Client-IP": newSource(),
      "Client-Address": newSource(),
      Authorization: basic("pages"),
    });
    await failFive(person, claimed);
    expect((await signInVia(person, claimed())).status).toBe(429);
  });
});

describe("what the platform guesses of a back end's address", () => {
  it("is not said of its user", () => {
    const cf = {
      country: "NL",
      city: "Amsterdam",
      region: "Noord-Holland",
      asn: 64_500,
      latitude: "52.4",
      longitude: "4.9",
    };
    const headers = { "CF-Connecting-IP": "203.0.113.7", "User-Agent": "Pages/1" };
    const request = new Request("http://localhost/auth/login", { method: "POST", headers, cf });
    const browser = { isBrowser: false, recognised: undefined, trusted: undefined };
    const direct = visitOf(request, browser, "request-1", 1_000);
    expect(direct).toMatchObject({ place: expect.stringContaining("Amsterdam"), from: { country: "NL", asn: 64_500 } });
    const visit = visitFrom(direct, clientNetwork("198.51.100.9"));
    expect(visit.network).toEqual({ source: "198.51.100.9", network: "198.51.100.0/24" });
    expect(visit.from).toEqual({ source: "198.51.100.0/24", request: "request-1", agent: direct.from.agent });
    expect(JSON.stringify(visit)).not.toMatch(/Amsterdam|NL|64500|203\.0\.113/);
  });
});
