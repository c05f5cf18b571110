import { describe, expect, it } from "vitest";
import { ROOMS, violationsOf } from "./support/rooms.ts";
import { functionsOf, readSources } from "./support/source-scan.ts";

const sources = readSources("src");
const violations = (path: string, text: string) => violationsOf({ path, text });

describe("the room table", () => {
  it("holds for every file of src", () => {
    // An empty list of files would break no rule either.
    expect(sources.length).toBeGreaterThan(60);
    expect(sources.flatMap(violationsOf)).toEqual([]);
  });

  it("knows every room that has files", () => {
    const rooms = new Set(sources.map(({ path }) => path.replace(/(\.d)?\.ts$/, "").split("/")[0] ?? ""));
    expect([...rooms].filter((room) => !(room in ROOMS))).toEqual([]);
  });
});

describe("the scanner behind the room table", () => {
  it.each([
    ["a static import", 'import { refuse } from "../http/problem.ts";'],
    ["a type-only import", 'import type { Api } from "../http/context.ts";'],
    ["an inline type import", 'import { type Api } from "../http/context.ts";'],
    ["an import for its effects", 'import "../http/problem.ts";'],
    ["an import of everything", 'import * as problem from "../http/problem.ts";'],
    ["a dynamic import", 'async function f() { return import("../http/problem.ts"); }'],
    ["a computed import", 'const name = "x"; export const f = () => import(name);'],
    ["a re-export", 'export { refuse } from "../http/problem.ts";'],
    ["a type-only re-export", 'export type { Api } from "../http/context.ts";'],
    ["a re-export of everything", 'export * from "../http/problem.ts";'],
    ["a type in passing", 'export let f: import("../http/context.ts").Api;'],
    ["an old require", 'export const f = require("../http/problem.ts");'],
    ["a way around", 'import { refuse } from "../flows/../http/problem.ts";'],
  ])("catches %s of a forbidden room", (_, text) => {
    expect(violations("flows/made-up.ts", text)).toHaveLength(1);
    expect(violations("flows/made-up.ts", text)[0]).toMatch(/^flows\/made-up\.ts imports /);
  });

  it.each([
    ["flows/x.ts", 'import { Hono } from "hono";'],
    ["flows/x.ts", 'import type { Context } from "hono";'],
    ["service.ts", 'import { cors } from "hono/cors";'],
    ["tokens/x.ts", 'import { Hono } from "hono";'],
    ["tokens/x.ts", 'import { verify } from "hono/jwt";'],
    ["account/sessions.ts", 'import { DurableObject } from "cloudflare:workers";'],
    ["keys/x.ts", 'import { env } from "cloudflare:workers";'],
    ["http/x.ts", 'import { env } from "cloudflare:workers";'],
    ["account/x.ts", 'import { usersOf } from "../directory/users.ts";'],
    ["account/x.ts", 'import { logIn } from "../flows/log-in.ts";'],
    ["gate/x.ts", 'import { isAlive } from "../account/sessions.ts";'],
    ["policy.ts", 'import type { Refusal } from "./refusal.ts";'],
    ["config.ts", 'import type { Refusal } from "./refusal.ts";'],
    ["settings.ts", 'import { PASSWORD_MIN } from "./policy.ts";'],
    ["service.ts", 'import { Settings } from "./settings.ts";'],
    ["keys/x.ts", 'import type { Session } from "../account/sessions.ts";'],
    ["directory/x.ts", 'import { totpStep } from "../factors/totp.ts";'],
    ["service.ts", 'import { logIn } from "./flows/log-in.ts";'],
    ["app.ts", 'import { logIn } from "./flows/log-in.ts";'],
    ["index.ts", 'import { isAlive } from "./account/sessions.ts";'],
    ["http/x.ts", 'import { usersOf } from "../directory/users.ts";'],
    ["http/x.ts", 'import { type User, usersOf } from "../directory/users.ts";'],
    ["sdk/x.ts", 'import { verifyAccessToken } from "../tokens/access-token.ts";'],
    ["factors/totp.ts", 'const library = () => import("@simplewebauthn/server");'],
    ["tokens/x.ts", 'import { isoCBOR } from "@simplewebauthn/server/helpers";'],
    ["flows/x.ts", 'import { parseStrictJson } from "../strict-json.ts";'],
    ["strict-json.ts", 'import { readBody } from "./http/body.ts";'],
    ["tokens/x.ts", 'import left from "left-pad";'],
    ["tokens/x.ts", 'import { readFileSync } from "node:fs";'],
  ])("catches in %s: %s", (path, text) => {
    expect(violations(path, text)).toHaveLength(1);
  });

  it.each([
    ["flows/x.ts", 'import { usersOf } from "../directory/users.ts";'],
    ["http/routes/x.ts", 'import { logIn } from "../../flows/log-in.ts";'],
    ["http/x.ts", 'import type { Service } from "../service.ts";'],
    ["http/x.ts", 'import { Hono } from "hono";'],
    ["account/x.ts", 'import { isAlive } from "./sessions.ts";'],
    ["account/account-base.ts", 'import { DurableObject } from "cloudflare:workers";'],
    ["index.ts", 'export { GateObject } from "./gate/gate-object.ts";'],
    ["passwords/x.ts", 'import { hmac } from "@noble/hashes/hmac.js";'],
    ["factors/passkey.ts", 'const library = () => import("@simplewebauthn/server/helpers");'],
    ["factors/x.ts", 'import { parseStrictJson } from "../strict-json.ts";'],
    ["http/x.ts", 'import { parseStrictJson } from "../strict-json.ts";'],
    ["sdk/x.ts", 'import type { AccessToken } from "../tokens/access-token.ts";'],
    ["keys/x.ts", "export const read = (kv: KVNamespace) => kv.get('x');"],
  ])("lets pass in %s: %s", (path, text) => {
    expect(violations(path, text)).toEqual([]);
  });

  it.each([
    ["flows/x.ts", "export const f = (env: Env) => env.KV.get('x');", "knows KV"],
    ["flows/x.ts", "export const f = (env: Env) => env['KV'];", "knows KV"],
    ["flows/x.ts", "export const f = ({ KV }: Env) => KV;", "knows KV"],
    ["account/x.ts", "export type Store = { kv: KVNamespace };", "knows KV"],
    ["flows/x.ts", "console.log('x');", "writes to the console"],
    ["flows/x.ts", "globalThis.console['log']('x');", "writes to the console"],
    ["flows/x.ts", "export const f = (x: any) => x;", "uses the type any"],
    ["flows/x.ts", "export const f = (x: unknown) => x as Record<string, any>;", "uses the type any"],
    ["helpers/x.ts", "export const f = 1;", "belongs to no room"],
    ["utils.ts", "export const f = 1;", "belongs to no room"],
  ])("catches in %s: %s", (path, text, sentence) => {
    expect(violations(path, text)).toEqual([`${path} ${sentence}`]);
  });

  it("is not fooled by words in comments and texts", () => {
    const text = '// any console.log(KV) import "hono"\nexport const f = "any console import hono";';
    expect(violations("flows/x.ts", text)).toEqual([]);
  });

  it("fails for a file that it cannot read, instead of finding nothing in it", () => {
    expect(() => violations("flows/x.ts", "import { from")).toThrow("cannot be parsed");
  });
});

describe("sizes", () => {
  it.each(["src", "test", "scripts", "examples"])("no file in %s has over 300 lines", (folder) => {
    const files = readSources(folder);
    expect(files.length).toBeGreaterThan(0);
    const long = files.filter(({ text }) => text.trimEnd().split("\n").length > 300);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  it("no function in src has over 40 lines", () => {
    const long = sources.flatMap((file) =>
      functionsOf(file)
        .filter(({ lines }) => lines > 40)
        .map(({ name }) => `${file.path} ${name}`),
    );
    expect(long).toEqual([]);
  });

  it.each([
    ["a function", (body: string) => `function f() {\n${body}\n}`],
    ["an arrow", (body: string) => `export const f = () => {\n${body}\n};`],
    ["a method", (body: string) => `class C {\n  m() {\n${body}\n  }\n}`],
    ["a callback", (body: string) => `[].map(function () {\n${body}\n});`],
  ])("are counted from the first line of %s to its last", (_, wrap) => {
    const sizeOf = (lines: number) => functionsOf({ path: "x.ts", text: wrap(Array(lines).fill("  x();").join("\n")) });
    expect(sizeOf(38).map(({ lines }) => lines)).toEqual([40]);
    expect(sizeOf(39).map(({ lines }) => lines)).toEqual([41]);
  });
});
