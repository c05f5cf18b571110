import { afterEach, describe, expect, it, vi } from "vitest";
import { authenticateClient } from "../../../src/flows/authenticate-client.ts";
import { digestOfSecret, hasDigest } from "../../../src/keys/secret-digest.ts";
import type { Service } from "../../../src/service.ts";
import { configOf, LOCAL } from "../support/settings.ts";

const SECRET = "9b2c".repeat(16);
const OTHER = "41d7".repeat(16);
const CLIENTS = [
  { id: "orders", secret_digest: digestOfSecret(SECRET), exchange: ["billing"] },
  { id: "billing", secret_digest: digestOfSecret(OTHER) },
];
const service = (CLIENTS_: string) =>
  ({ config: configOf({ ...LOCAL, AUDIENCES: "orders,billing", CLIENTS: CLIENTS_ }) }) as Service;
const authenticate = (id: string, secret: string, clients = JSON.stringify(CLIENTS)) =>
  authenticateClient(service(clients), { id, secret });

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a client", () => {
  it("is who shows its id and its secret", () => {
    expect(authenticate("orders", SECRET)).toMatchObject({ id: "orders", audience: "orders" });
    expect(authenticate("billing", OTHER)).toMatchObject({ id: "billing" });
  });

  it.each([
    ["orders", OTHER, "client_secret_wrong"],
    ["orders", "", "client_secret_wrong"],
    ["orders", SECRET.slice(1), "client_secret_wrong"],
    ["orders", digestOfSecret(SECRET), "client_secret_wrong"],
    ["Orders", SECRET, "client_unknown"],
    ["nobody", SECRET, "client_unknown"],
    ["", "", "client_unknown"],
    ["__proto__", SECRET, "client_unknown"],
    ["constructor", SECRET, "client_unknown"],
  ])("is not %j with %j", (id, secret, refused) => {
    expect(authenticate(id, secret)).toEqual({ refused });
  });

  it("is nobody without credentials, and where no clients are set", () => {
    expect(authenticateClient(service(JSON.stringify(CLIENTS)), undefined)).toEqual({ refused: "client_unnamed" });
    expect(authenticate("orders", SECRET, "")).toEqual({ refused: "client_unknown" });
  });

  it("that is unknown costs what a wrong secret costs: one digest", () => {
    const encode = vi.spyOn(TextEncoder.prototype, "encode");
    const work = (id: string) => {
      const config = service(JSON.stringify(CLIENTS));
      encode.mockClear();
      authenticateClient(config, { id, secret: "wrong" });
      return encode.mock.calls.length;
    };
    expect(work("nobody")).toBe(work("orders"));
    expect(work("nobody")).toBeGreaterThan(0);
  });
});

it("a secret has its SHA-256 as openssl prints it", () => {
  // printf %s abc | openssl dgst -sha256: FIPS 180-2, appendix B.1.
  const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  expect(digestOfSecret("abc")).toBe(digest);
  expect(hasDigest("abc", digest)).toBe(true);
  expect(hasDigest("abd", digest)).toBe(false);
});
