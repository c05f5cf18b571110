import { describe, expect, it } from "vitest";
import { ChallengeAnswer, PasskeyRegistration, PasskeySignIn } from "../../../src/http/schemas.ts";
import { ASSERTION, REGISTRATION, read } from "../support/bodies.ts";

const TOKEN = { challenge_token: "aaa.bbb.ccc" };

const passkey = (response: unknown) => read(ChallengeAnswer, { ...TOKEN, method: "passkey", response });

describe("a response of a passkey", () => {
  const changed = (change: object) => ({ ...ASSERTION, ...change });
  const inner = (change: object) => ({ ...ASSERTION, response: { ...ASSERTION.response, ...change } });

  it("is taken as browsers send it, and only what is read of it goes on", () => {
    const sent = {
      ...ASSERTION,
      authenticatorAttachment: "platform",
      clientExtensionResults: { credProps: { rk: true } },
      response: { ...ASSERTION.response, userHandle: "AAAA", toComeLater: [1] },
    };
    expect(passkey(sent)).toMatchObject({ response: inner({ userHandle: "AAAA" }) });
    expect(JSON.stringify(passkey(sent))).not.toMatch(/authenticatorAttachment|credProps|toComeLater/);
    expect(read(PasskeySignIn, { response: sent })).toEqual({
      response: inner({ userHandle: "AAAA" }),
      remember: false,
    });
  });

  it("may have no user handle, or null for one", () => {
    expect(passkey(inner({ userHandle: null }))).toMatchObject({ response: inner({ userHandle: null }) });
    expect(passkey(ASSERTION)).toMatchObject({ response: ASSERTION });
  });

  it.each([
    ["no id", changed({ id: undefined })],
    ["an id that is a list", changed({ id: ["AQID"] })],
    ["no raw id", changed({ rawId: undefined })],
    ["another type", changed({ type: "password" })],
    ["no type", changed({ type: undefined })],
    ["no response inside", changed({ response: undefined })],
    ["a text for a response", changed({ response: "{}" })],
    ["null", null],
    ["a list", [ASSERTION]],
    ["no client data", inner({ clientDataJSON: undefined })],
    ["client data as an object", inner({ clientDataJSON: {} })],
    ["no authenticator data", inner({ authenticatorData: undefined })],
    ["no signature", inner({ signature: undefined })],
    ["a signature as numbers", inner({ signature: [1, 2] })],
    ["a user handle that is a number", inner({ userHandle: 1 })],
    ["half a character", inner({ signature: "\ud800" })],
    ["a registration in its place", REGISTRATION],
  ])("is refused with %s", (_, response) => {
    expect(passkey(response)).toBeUndefined();
    expect(read(PasskeySignIn, { response })).toBeUndefined();
  });

  it("has no unknown neighbours: what is beside it is ours", () => {
    const extra = { clientExtensionResults: {} };
    expect(read(ChallengeAnswer, { ...TOKEN, method: "passkey", response: ASSERTION, ...extra })).toBeUndefined();
    expect(read(PasskeySignIn, { response: ASSERTION, ...extra })).toBeUndefined();
    expect(read(PasskeySignIn, { response: ASSERTION, email: "ada@example.com" })).toBeUndefined();
    expect(read(PasskeyRegistration, { response: REGISTRATION, ...extra })).toBeUndefined();
  });

  it("at a registration has transports, or none; and is no assertion", () => {
    const { transports: _, ...bare } = REGISTRATION.response;
    expect(read(PasskeyRegistration, { response: { ...REGISTRATION, extra: 1 } })).toEqual({
      label: "Passkey",
      response: REGISTRATION,
    });
    expect(read(PasskeyRegistration, { response: { ...REGISTRATION, response: { ...bare, publicKey: "x" } } })).toEqual(
      {
        label: "Passkey",
        response: { ...REGISTRATION, response: { ...bare, transports: [] } },
      },
    );
    expect(read(PasskeyRegistration, { response: ASSERTION })).toBeUndefined();
    for (const transports of ["internal", [1], [["usb"]], Array(17).fill("usb"), ["u".repeat(33)], null]) {
      const response = { ...REGISTRATION, response: { ...bare, transports } };
      expect(read(PasskeyRegistration, { response }), JSON.stringify(transports)).toBeUndefined();
    }
  });
});
