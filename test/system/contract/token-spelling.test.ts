import { base64url } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { expectProblem, me, ordinaryLines, send, sendRaw, signedIn, verifiedPerson } from "../../support/client.ts";

let token: string;
let [head, payload, signature] = ["", "", ""];

const encode = (value: unknown): string => base64url.encode(typeof value === "string" ? value : JSON.stringify(value));

beforeAll(async () => {
  token = (await signedIn(await verifiedPerson())).access;
  [head = "", payload = "", signature = ""] = token.split(".");
});

async function expectRefused(spellings: Record<string, string>): Promise<void> {
  for (const [name, bearer] of Object.entries(spellings)) {
    const answer = await me(bearer);
    expect({ name, status: answer.status, code: answer.body.code }).toEqual({
      name,
      status: 401,
      code: "invalid_token",
    });
  }
}

describe("a real access token is refused when", () => {
  it("its text is not the one strict spelling", async () => {
    expect((await me(token)).status).toBe(200);
    await expectRefused({
      padded: `${token}=`,
      "padded twice": `${token}==`,
      "space in the header": `${head} .${payload}.${signature}`,
      "space in the payload": `${head}. ${payload}.${signature}`,
      "tab in the signature": `${head}.${payload}.${signature.slice(0, 40)}\t${signature.slice(40)}`,
      "a dot behind": `${token}.`,
      "a dot before": `.${token}`,
      "four parts": `${token}.${signature}`,
      "payload padded": `${head}.${payload}=.${signature}`,
      shortened: token.slice(0, -1),
      "header gone": `.${payload}.${signature}`,
      quoted: `"${token}"`,
    });
  });

  it("it comes in a JSON serialisation or as five parts", async () => {
    const jwe = `${encode({ alg: "PBES2-HS256+A128KW", enc: "A128CBC-HS256", p2c: 2 ** 31, p2s: "AAAA" })}.AAAA.AAAA.AAAA.AAAA`;
    await expectRefused({
      flattened: JSON.stringify({ protected: head, payload, signature }),
      general: JSON.stringify({ payload, signatures: [{ protected: head, signature }] }),
      JWE: jwe,
    });
  });

  it("it is longer than any token may be", async () => {
    await expectRefused({
      "6 KiB": `${head}.${payload}${"A".repeat(6_000)}.${signature}`,
      "6,000 dots": ".".repeat(6_000),
      "deep header": `${encode("[".repeat(3_000))}.${payload}.${signature}`,
    });
    // Beyond what the runtime takes as a header the connection may be refused before the service sees it.
    const huge = await send("GET", "/auth/me", undefined, { bearer: "A".repeat(1_000_000) }).catch(() => undefined);
    if (huge !== undefined) expect([400, 401, 413, 431]).toContain(huge.status);
    expect((await me(token)).status).toBe(200);
  });

  it("two Authorization headers carry it", async () => {
    const line: [string, string] = ["Authorization", `Bearer ${token}`];
    expect((await sendRaw("GET", "/auth/me", [...ordinaryLines(), line])).status).toBe(200);
    const answer = await sendRaw("GET", "/auth/me", [...ordinaryLines(), line, line]);
    expect([400, 401]).toContain(answer.status);
    expectProblem(answer, answer.status, ["invalid_token", "invalid_request"]);
  });
});
