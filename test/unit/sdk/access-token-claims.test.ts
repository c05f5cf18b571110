import { describe, expect, it } from "vitest";
import type { TokenDefect } from "../../../src/sdk/refused.ts";
import {
  AUDIENCE,
  CLAIMS,
  HEADER,
  ISSUER,
  type Json,
  NOW,
  read,
  SECONDS,
  signed,
  signedTexts,
} from "../support/forged-tokens.ts";

const refusal = (defect: TokenDefect) => ({ defect });
/** The good claims with one value spelt by hand. */
const claimsSpelling = (name: keyof typeof CLAIMS, value: string) =>
  JSON.stringify(CLAIMS).replace(new RegExp(`"${name}":[^,]+`), () => `"${name}":${value}`);

describe("required claims (JWT-03)", () => {
  const required = ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "sid", "auth_time", "acr", "amr"];

  it.each(required)("no token lacks %s", async (name) => {
    expect(await read(await signed({ [name]: undefined }))).toEqual(refusal("invalid_claims"));
    expect(await read(await signed({ [name]: null }))).toEqual(refusal("invalid_claims"));
  });

  it.each(["iss", "sub", "aud", "client_id", "jti", "sid", "acr"])(
    "%s is a text, and not an empty one",
    async (name) => {
      for (const value of ["", 1, true, ["x"], { x: 1 }]) {
        expect(await read(await signed({ [name]: value }))).toEqual(refusal("invalid_claims"));
      }
    },
  );

  it.each(["iat", "exp", "auth_time"])("%s is a finite whole number", async (name) => {
    const good = Number(CLAIMS[name as "iat"]);
    for (const value of [`${good}`, good + 0.5, true, [good], -1, 2 ** 53]) {
      expect(await read(await signed({ [name]: value }))).toEqual(refusal("invalid_claims"));
    }
    const token = await signedTexts(JSON.stringify(HEADER), claimsSpelling(name as "iat", "1e400"));
    expect(await read(token)).toEqual(refusal("invalid_claims"));
  });

  it.each<[string, Json]>([
    ["amr as a text", { amr: "pwd" }],
    ["amr with a number", { amr: ["pwd", 1] }],
    ["roles as a text", { roles: "admin" }],
    ["roles with an object", { roles: [{}] }],
    ["roles that are null", { roles: null }],
    ["factors as a list", { factors: [SECONDS] }],
    ["a factor that was proven at no time", { factors: { otp: "yesterday" } }],
    ["cnf as a text", { cnf: "jkt" }],
    ["cnf without jkt", { cnf: {} }],
    ["cnf of another kind", { cnf: { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } }],
    ["cnf that says more", { cnf: { jkt: "x", jwk: {} } }],
    ["cnf that is null", { cnf: null }],
    ["act as a text", { act: "billing" }],
    ["act without sub", { act: {} }],
    [
      "a chain of five services",
      {
        act: { sub: "a", act: { sub: "b", act: { sub: "c", act: { sub: "d", act: { sub: "e" } } } } },
      },
    ],
    ["nbf as a text", { nbf: `${SECONDS}` }],
    ["nbf with a fraction", { nbf: SECONDS + 0.5 }],
  ])("are refused with %s", async (_, claims) => {
    expect(await read(await signed(claims))).toEqual(refusal("invalid_claims"));
  });
});

describe("who a token is for (attacks E14, E15)", () => {
  it.each(["other", "order", "orders/", "Orders", "orders ", "https://orders", ISSUER])(
    "the audience %j is another one",
    async (aud) => {
      expect(await read(await signed({ aud }))).toEqual(refusal("wrong_audience"));
    },
  );

  it.each([[[AUDIENCE]], [[AUDIENCE, "evil"]], [[]]])("the audience %j is none", async (aud) => {
    expect(await read(await signed({ aud }))).toEqual(refusal("invalid_claims"));
  });

  it.each([
    "http://auth.example.com",
    "https://AUTH.example.com",
    "https://auth.example.com/",
    "https://auth.example.com:443",
    "https://tenant.auth.example.com",
    "https://staging.example.com",
  ])("the issuer %j is another one", async (iss) => {
    expect(await read(await signed({ iss }))).toEqual(refusal("wrong_issuer"));
  });
});

describe("times (attack E17)", () => {
  const at = (claims: Json, tolerance = 30) => signed(claims).then((token) => read(token, { tolerance }));

  it.each([
    ["expired 29 s ago", { iat: SECONDS - 329, exp: SECONDS - 29, auth_time: SECONDS - 400 }, undefined],
    ["expired 30 s ago", { iat: SECONDS - 330, exp: SECONDS - 30, auth_time: SECONDS - 400 }, "expired"],
    ["expired 31 s ago", { iat: SECONDS - 331, exp: SECONDS - 31, auth_time: SECONDS - 400 }, "expired"],
    ["issued in 30 s", { iat: SECONDS + 30 }, undefined],
    ["issued in 31 s", { iat: SECONDS + 31, exp: SECONDS + 331 }, "not_yet_valid"],
    ["proven in 30 s", { auth_time: SECONDS + 30 }, undefined],
    ["proven in 31 s", { auth_time: SECONDS + 31 }, "not_yet_valid"],
    ["good in 29 s", { nbf: SECONDS + 29 }, undefined],
    ["good in 31 s", { nbf: SECONDS + 31 }, "not_yet_valid"],
    ["good for ten minutes", { exp: SECONDS + 600 }, undefined],
    ["good for a second more than ten minutes", { exp: SECONDS + 601 }, "invalid_claims"],
    ["good for no time", { exp: SECONDS }, "invalid_claims"],
    ["that ended before it began", { exp: SECONDS - 10 }, "invalid_claims"],
  ] as const)("a token %s: %#", async (_, claims, defect) => {
    const result = await at(claims);
    expect("defect" in result ? result.defect : undefined).toBe(defect);
  });

  it("the tolerance is the service's", async () => {
    const late = { iat: SECONDS - 310, exp: SECONDS - 10, auth_time: SECONDS - 400 };
    expect(await at(late, 10)).toEqual(refusal("expired"));
    expect(await at(late, 11)).toMatchObject(late);
    expect(await at({ iat: SECONDS + 1 }, 0)).toEqual(refusal("not_yet_valid"));
  });

  it("are whole seconds of the token and milliseconds of the clock", async () => {
    const token = await signed();
    expect(await read(token, { now: NOW + 329_999 })).toEqual(CLAIMS);
    expect(await read(token, { now: NOW + 330_000 })).toEqual(refusal("expired"));
  });
});
