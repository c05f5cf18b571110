import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { newPerson, post } from "../support/client.ts";
import { OwnInstance } from "../support/own-instance.ts";

/** A range API on this machine, which answers as the test at hand wants it to. */
const asked: { path: string; headers: IncomingHttpHeaders }[] = [];
let answer: (response: ServerResponse) => void;
const api = createServer(({ url, headers }, response) => {
  asked.push({ path: url ?? "", headers });
  answer(response);
});
const instance = new OwnInstance();

const digitsOf = (password: string) => createHash("sha1").update(password).digest("hex").toUpperCase();
const register = async ({ email, password } = newPerson()) => post("/auth/register", { email, password });

beforeAll(async () => {
  await once(api.listen(0, "localhost"), "listening");
  const { port } = api.address() as AddressInfo;
  await instance.start({ BREACH_CHECK_URL: `http://localhost:${port}/range` });
});
beforeEach(() => {
  asked.length = 0;
});
afterAll(async () => {
  await instance.end();
  api.closeAllConnections();
  api.close();
});

it("a new password that the range API lists is refused, and the API learns five digits of its hash", async () => {
  const person = newPerson();
  const digits = digitsOf(person.password);
  answer = (response) => response.end(`${"0".repeat(35)}:0\r\n${digits.slice(5)}:17\r\n`);
  expect(await register(person)).toMatchObject({ status: 422, body: { code: "weak_password", reason: "breached" } });
  expect(asked).toHaveLength(1);
  expect(asked[0]?.path).toBe(`/range/${digits.slice(0, 5)}`);
  expect(asked[0]?.headers["add-padding"]).toBe("true");
  expect(JSON.stringify(asked)).not.toContain(digits.slice(5));
});

it.each<[string, typeof answer]>([
  ["does not list it", (response) => response.end(`${"0".repeat(35)}:4\r\n`)],
  ["sends elsewhere", (response) => response.writeHead(302, { Location: "/range/elsewhere" }).end()],
  ["breaks off", (response) => response.socket?.destroy()],
  ["never answers", () => {}],
  ["never finishes", (response) => response.write(`${"0".repeat(35)}:4\r\n`)],
])("a new password is taken, after one question and in time, when the range API %s", async (_, behaviour) => {
  answer = behaviour;
  const started = Date.now();
  expect((await register()).status).toBe(202);
  expect(Date.now() - started).toBeLessThan(5_000);
  expect(asked).toHaveLength(1);
});
