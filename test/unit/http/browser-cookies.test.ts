import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { browserCookies, setBrowserCookies } from "../../../src/http/browser-cookies.ts";
import { hostCookies, isBrowserRequest, setHostCookie } from "../../../src/http/host-cookies.ts";
import type { BrowserCookies } from "../../../src/service.ts";

/** What the service hears of a request with these headers. */
async function heardOf(headers: Record<string, string>): Promise<BrowserCookies> {
  const app = new Hono();
  app.get("/", (c) => c.json(browserCookies(c)));
  return (await app.request("/", { headers })).json();
}

const cookie = (text: string) => heardOf({ Cookie: text });

describe("a browser", () => {
  it.each([
    ["by its origin", { Origin: "https://app.example.com" }, true],
    ["by an origin that hides itself", { Origin: "null" }, true],
    ["by where its request comes from", { "Sec-Fetch-Site": "same-origin" }, true],
    ["not by how it fetches, which Node's fetch says too", { "Sec-Fetch-Mode": "cors" }, false],
    ["not by its cookies", { Cookie: "__Host-sallyport_dev=x" }, false],
    ["not by nothing", {}, false],
  ])("is known %s", async (_, headers, expected) => {
    expect((await heardOf(headers)).isBrowser).toBe(expected);
    const app = new Hono().get("/", (c) => c.json(isBrowserRequest(c)));
    expect(await (await app.request("/", { headers })).json()).toBe(expected);
  });
});

describe("what a browser says about itself", () => {
  it("is in two cookies, neither of which is read for the other", async () => {
    expect(await cookie("__Host-sallyport_dev=d; __Host-sallyport_tb=t")).toEqual({
      isBrowser: false,
      recognised: "d",
      trusted: "t",
    });
    expect(await cookie("__Host-sallyport_tb=t")).toEqual({ isBrowser: false, trusted: "t" });
    expect(await cookie("__Host-sallyport_dev=d")).toEqual({ isBrowser: false, recognised: "d" });
    expect(await cookie("__Host-sallyport_rt=r")).toEqual({ isBrowser: false });
  });

  it("is nothing where a cookie was sent twice, and the other one still counts", async () => {
    expect(await cookie("__Host-sallyport_dev=a; __Host-sallyport_dev=b; __Host-sallyport_tb=t")).toEqual({
      isBrowser: false,
      trusted: "t",
    });
    expect(await cookie("__Host-sallyport_tb=a; __Host-sallyport_tb=a")).toEqual({ isBrowser: false });
  });

  it.each([
    ["sallyport_tb=t"],
    ["__Secure-sallyport_tb=t"],
    ["__host-sallyport_tb=t"],
    ["__Host-sallyport_tb"],
    ["x__Host-sallyport_tb=t"],
    ["__Host-sallyport_tbx=t"],
    ["\u00a0__Host-sallyport_tb=t"],
    ["a=__Host-sallyport_tb=t"],
  ])("is nothing in %j", async (text) => {
    expect(await cookie(text)).toEqual({ isBrowser: false });
  });
});

describe("a cookie of this host", () => {
  const valuesOf = async (text: string) => {
    const app = new Hono().get("/", (c) => c.json(hostCookies(c, "__Host-x")));
    return (await app.request("/", { headers: { Cookie: text } })).json();
  };

  it("is found wherever it stands, with spaces and tabs around it, and its value whole", async () => {
    expect(await valuesOf("a=1; __Host-x=one;b=2")).toEqual(["one"]);
    expect(await valuesOf("a=1;\t__Host-x=one=two== ;b=2")).toEqual(["one=two=="]);
    expect(await valuesOf("__Host-x=; __Host-x=2")).toEqual(["", "2"]);
    expect(await valuesOf("a=1")).toEqual([]);
  });

  it("is set for this host alone, out of reach of scripts and of other sites", async () => {
    const app = new Hono().get("/", (c) => {
      setHostCookie(c, "__Host-x", "value", 60);
      return c.body(null);
    });
    const set = (await app.request("/")).headers.getSetCookie();
    expect(set).toEqual(["__Host-x=value; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=60"]);
  });

  it("stands beside others in one answer", async () => {
    const app = new Hono().get("/", (c) => {
      setBrowserCookies(c, [
        { kind: "recognised", value: "d", maxAgeSeconds: 15_552_000 },
        { kind: "trusted", value: "t", maxAgeSeconds: 86_400 },
      ]);
      return c.body(null);
    });
    const attributes = "Path=/; Secure; HttpOnly; SameSite=Strict";
    expect((await app.request("/")).headers.getSetCookie()).toEqual([
      `__Host-sallyport_dev=d; ${attributes}; Max-Age=15552000`,
      `__Host-sallyport_tb=t; ${attributes}; Max-Age=86400`,
    ]);
  });
});
