import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  expectProblem,
  logIn,
  newPerson,
  newSource,
  ordinaryLines,
  type Person,
  post,
  sendRaw,
  verifiedPerson,
} from "../../support/client.ts";
import { OwnInstance } from "../../support/own-instance.ts";
import { basic, type ServiceClient } from "../../support/service-clients.ts";

const PORTAL: ServiceClient = { id: "portal", secret: "of the portal: it stands before the gate" };
const QUIET: ServiceClient = { id: "quiet", secret: "of the quiet one: it forwards nothing at all" };
const entry = ({ id, secret }: ServiceClient) => ({
  id,
  secret_digest: createHash("sha256").update(secret).digest("hex"),
});

const instance = new OwnInstance();
let person: Person;
beforeAll(async () => {
  await instance.start({
    AUDIENCES: "portal, quiet",
    CLIENTS: JSON.stringify([{ ...entry(PORTAL), forwards_address: true }, entry(QUIET)]),
  });
  person = await verifiedPerson();
});
afterAll(() => instance.end());

const HEADER = "sallyport-client-address";
/** The back end's own address, the same all the time. */
const backEnd = newSource();
const forwarding = (address: string, client: ServiceClient = PORTAL) => ({
  authorization: basic(client),
  [HEADER]: address,
});
/** A sign-in that a back end passes on. */
const forwarded = (one: Person, address: string, client?: ServiceClient): Promise<Answer> =>
  logIn(one, {}, { source: backEnd, headers: forwarding(address, client) });
const direct = (one: Person, source: string): Promise<Answer> => logIn({ ...one, source });
const failForwarded = async (times: number, address: string) => {
  for (let i = 0; i < times; i++)
    await post("/auth/login", { email: 1 }, { source: backEnd, headers: forwarding(address) });
  await sleep(100);
};
/** Asserts a refusal that says nothing of the password and opens nothing. */
function expectRefused(answer: Answer, what: string): void {
  expect([400, 401, 403], `${what}: ${answer.status} ${answer.text}`).toContain(answer.status);
  expect(answer.body.code, what).not.toBe("sign_in_failed");
  expectProblem(answer, answer.status, String(answer.body.code));
  expect(answer.body).not.toHaveProperty("access_token");
}

describe("an address that a back end passes on", () => {
  it("is the one that pays, and not the back end's", async () => {
    const [user, other] = [newSource(), newSource()];
    await failForwarded(20, user);
    expectProblem(await forwarded(person, user), 429, "too_many_attempts");
    expectProblem(await direct(person, user), 429, "too_many_attempts");
    expect((await direct(person, backEnd)).body.status).toBe("authenticated");
    expect((await forwarded(person, other)).body.status).toBe("authenticated");
  });

  it("adds up with what it did by itself", async () => {
    const user = newSource();
    await failForwarded(10, user);
    for (let i = 0; i < 10; i++) await post("/auth/login", { email: 1 }, { source: user });
    await sleep(100);
    expectProblem(await forwarded(person, user), 429, "too_many_attempts");
  });

  it("is one with all spellings of its /64", async () => {
    await failForwarded(10, "2001:db8:77:1::1");
    await failForwarded(10, "2001:0DB8:0077:0001:0:0:0:ffff");
    expectProblem(await forwarded(person, "2001:db8:77:1::2"), 429, "too_many_attempts");
    expect((await forwarded(person, "2001:db8:77:2::2")).body.status).toBe("authenticated");
  });

  it("has the pair's five free failures of its own", async () => {
    const [user, other] = [newSource(), newSource()];
    const wrong = { ...person, password: "not the password" };
    for (let i = 0; i < 5; i++) expectProblem(await forwarded(wrong, user), 401, "sign_in_failed");
    expectProblem(await forwarded(person, user), 429, "too_many_attempts");
    expect((await forwarded(person, other)).body.status).toBe("authenticated");
  });
});

describe("the header is refused, and not ignored,", () => {
  it("without credentials, with wrong ones, and from a client that may not send it", async () => {
    const address = newSource();
    const credentials: Record<string, Record<string, string>> = {
      nobody: {},
      "a wrong secret": { authorization: basic({ ...PORTAL, secret: `${PORTAL.secret}.` }) },
      "no secret": { authorization: basic({ ...PORTAL, secret: "" }) },
      "an unknown client": { authorization: basic({ ...PORTAL, id: "nobody" }) },
      "another client's secret": { authorization: basic({ ...PORTAL, secret: QUIET.secret }) },
      "a client that may not": { authorization: basic(QUIET) },
      "a bearer token": { authorization: "Bearer a.b.c" },
      "no base64": { authorization: "Basic portal:secret" },
    };
    for (const [what, headers] of Object.entries(credentials)) {
      for (const one of [person, newPerson()]) {
        const call = { source: newSource(), headers: { ...headers, [HEADER]: address } };
        expectRefused(await logIn(one, {}, call), what);
      }
    }
    expect((await direct(person, address)).body.status).toBe("authenticated");
  });

  it("when it holds no address, or more than one", async () => {
    for (const address of [
      "somewhere",
      "10.1.2",
      "10.1.2.3.4",
      "256.1.1.1",
      "10.1.2.3, 10.1.2.4",
      "fe80::1%eth0",
      "1::2::3",
    ])
      expectRefused(await forwarded(person, address), address);
    const body = JSON.stringify({ email: person.email, password: person.password });
    const lines: [string, string][] = [
      ...ordinaryLines(backEnd),
      ["Content-Type", "application/json"],
      ["Content-Length", String(Buffer.byteLength(body))],
      ["Authorization", basic(PORTAL)],
      ["Sallyport-Client-Address", newSource()],
      ["Sallyport-Client-Address", newSource()],
    ];
    expectRefused(await sendRaw("POST", "/auth/login", lines, [body]), "two headers");
  });

  it("at the other doors too", async () => {
    const call = () => ({ source: newSource(), headers: { [HEADER]: newSource() } });
    const { email, password } = person;
    const doors = {
      "/auth/email/verify": { token: "AAAA", password },
      "/auth/password/forgot": { email },
      "/auth/register": { email, password },
      "/auth/recovery/start": { email, password },
      "/auth/passkey/options": {},
    };
    for (const [path, body] of Object.entries(doors)) expectRefused(await post(path, body, call()), path);
  });
});
