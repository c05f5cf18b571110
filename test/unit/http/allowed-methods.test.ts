import { describe, expect, it } from "vitest";
import { allowedMethods } from "../../../src/http/allowed-methods.ts";

const ROUTES = [
  { method: "ALL", path: "/*" },
  { method: "ALL", path: "/auth/*" },
  { method: "POST", path: "/auth/login" },
  { method: "GET", path: "/auth/sessions" },
  { method: "DELETE", path: "/auth/sessions" },
  { method: "DELETE", path: "/auth/sessions/:id" },
  { method: "GET", path: "/healthz" },
];

describe("the methods that a path takes", () => {
  it.each([
    ["/auth/login", ["POST"]],
    ["/auth/sessions", ["GET", "DELETE", "HEAD"]],
    ["/auth/sessions/s1", ["DELETE"]],
    ["/healthz", ["GET", "HEAD"]],
  ])("at %s", (path, methods) => {
    expect(allowedMethods(ROUTES, path)).toEqual(methods);
  });

  it.each(["/", "", "/nothing", "/auth", "/auth/login/", "/auth/login/x", "/auth/sessions/s1/x", "/AUTH/LOGIN", "/*"])(
    "are none at %j, which is then not found: middleware makes no route",
    (path) => {
      expect(allowedMethods(ROUTES, path)).toEqual([]);
    },
  );

  it("are named once each", () => {
    const twice = [...ROUTES, { method: "POST", path: "/auth/login" }];
    expect(allowedMethods(twice, "/auth/login")).toEqual(["POST"]);
  });
});
