import fc from "fast-check";
import WebAuthnEmulator, { AuthenticatorEmulator, PasskeysCredentialsMemoryRepository } from "nid-webauthn-emulator";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  type Credential,
  clientChallenge,
  creationOptions,
  mayFollow,
  requestOptions,
} from "../../../src/factors/passkey.ts";
import type { Edits } from "../../support/software-authenticator.ts";
import {
  asserted,
  assertionOf,
  CHALLENGES,
  enrolled,
  HARMLESS_CLIENT_DATA,
  newAuthenticator,
  ORIGIN,
  RP,
  registered,
  registrationOf,
  USER,
} from "../support/passkey-samples.ts";

afterEach(() => {
  vi.doUnmock("@simplewebauthn/server");
  vi.resetModules();
});

const SELF: Edits = { attestation: { fmt: "packed", attStmt: "self" } };

describe("creation options", () => {
  it("ask for what the contract says, in this order of algorithms", () => {
    expect(creationOptions(RP, CHALLENGES.create, USER, [])).toEqual({
      rp: { id: "example.com", name: "Example" },
      user: { id: USER.handle, name: "ada@example.com", displayName: "ada@example.com" },
      challenge: CHALLENGES.create,
      pubKeyCredParams: [
        { type: "public-key", alg: -7 },
        { type: "public-key", alg: -257 },
      ],
      timeout: 300_000,
      attestation: "none",
      excludeCredentials: [],
      authenticatorSelection: { residentKey: "preferred", requireResidentKey: false, userVerification: "preferred" },
    });
  });

  it("exclude the passkeys that are there, with the ways to reach them", async () => {
    const usb = (await enrolled({ transports: ["usb"] })).credential;
    const silent = (await enrolled({ transports: [] })).credential;
    expect(creationOptions(RP, CHALLENGES.create, USER, [usb, silent]).excludeCredentials).toEqual([
      { type: "public-key", id: usb.id, transports: ["usb"] },
      { type: "public-key", id: silent.id },
    ]);
  });
});

describe("request options", () => {
  it("name the account's passkeys, once somebody knows the password", async () => {
    const { credential } = await enrolled({ transports: ["internal"] });
    expect(requestOptions(RP, CHALLENGES.get, "preferred", [credential])).toEqual({
      challenge: CHALLENGES.get,
      rpId: "example.com",
      timeout: 300_000,
      userVerification: "preferred",
      allowCredentials: [{ type: "public-key", id: credential.id, transports: ["internal"] }],
    });
  });

  it("name nobody's without a user name", () => {
    const options = requestOptions(RP, CHALLENGES.get, "required");
    expect(options).toEqual({
      challenge: CHALLENGES.get,
      rpId: "example.com",
      timeout: 300_000,
      userVerification: "required",
    });
  });
});

// Making an RSA key may take its time.
describe("a passkey", { timeout: 20_000 }, () => {
  const algorithms = [
    ["ES256", { algorithm: -7 }],
    ["RS256", { algorithm: -257 }],
  ] as const;
  const makes = [
    ["of many devices", { backupEligible: true, backedUp: true, userVerified: true, signCount: 0 }],
    ["without a check of its user", { backupEligible: true, backedUp: false, userVerified: false, signCount: 7 }],
    ["on a key", { backupEligible: false, userVerified: true, signCount: "rising", discoverable: false }],
  ] as const;
  const statements = [
    ["no attestation", {}],
    ["self attestation", SELF],
  ] as const;
  const kinds = algorithms.flatMap(([name, algorithm]) =>
    makes.flatMap(([make, settings]) =>
      statements.map(([statement, edits]) => ({
        name: `${name} ${make}, with ${statement}`,
        settings: { ...algorithm, ...settings },
        edits,
      })),
    ),
  );

  it.each(kinds)("is registered and signs in: $name", async ({ settings, edits }) => {
    const sample = await enrolled(settings, edits);
    const { credential, authenticator } = sample;
    expect(credential).toEqual({
      id: authenticator.credentials[0]?.id,
      publicKey: Buffer.from(authenticator.credentials[0]?.publicKey ?? []).toString("base64url"),
      signCount: settings.signCount === "rising" ? 1 : settings.signCount,
      transports: ["hybrid", "internal"],
      backupEligible: settings.backupEligible,
      userVerified: settings.userVerified,
    });
    expect(await asserted(credential, await assertionOf(sample))).toEqual({
      signCount: settings.signCount === "rising" ? 2 : settings.signCount,
      userVerified: settings.userVerified,
    });
  });

  it.each(["ES256", "RS256"] as const)("made by somebody else's authenticator is one: %s", async (algorithm) => {
    const emulator = new WebAuthnEmulator(
      new AuthenticatorEmulator({
        algorithmIdentifiers: [algorithm],
        credentialsRepository: new PasskeysCredentialsMemoryRepository(),
      }),
    );
    const credential = await registered(
      emulator.createJSON(ORIGIN, creationOptions(RP, CHALLENGES.create, USER, [])) as never,
    );
    expect(credential).toMatchObject({ backupEligible: true, userVerified: true, transports: ["usb"], signCount: 0 });
    const options = requestOptions(RP, CHALLENGES.get, "required", [credential as Credential]);
    const response = emulator.getJSON(ORIGIN, options) as never;
    const assertion = await asserted(credential as Credential, response, { requireUserVerification: true });
    expect(assertion).toEqual({ signCount: 1, userVerified: true });
  });

  it("says of an assertion whether the user was verified, not of the registration", async () => {
    const sample = await enrolled({ userVerified: false });
    const verified = await asserted(sample.credential, await assertionOf(sample, { flags: { uv: true } }));
    expect(verified?.userVerified).toBe(true);
    expect((await asserted(sample.credential, await assertionOf(sample)))?.userVerified).toBe(false);
  });

  it("may be backed up, or lose its backup, later", async () => {
    const sample = await enrolled({ backedUp: false });
    for (const bs of [true, false]) {
      expect(await asserted(sample.credential, await assertionOf(sample, { flags: { bs } }))).toBeDefined();
    }
  });

  it("may send extensions, and bits that are still reserved", async () => {
    const sample = await enrolled();
    const extensions = (bytes: Uint8Array) => Uint8Array.from([...bytes, 0xa1, 0x61, 0x78, 0xf5]);
    const reserved = (bytes: Uint8Array) => bytes.with(32, (bytes[32] ?? 0) | 0x22);
    for (const edits of [{ flags: { ed: true }, authenticatorData: extensions }, { authenticatorData: reserved }]) {
      expect(await asserted(sample.credential, await assertionOf(sample, edits))).toBeDefined();
      expect(await registered(await registrationOf(newAuthenticator(), edits))).toBeDefined();
    }
  });

  it("names its account, or nobody", async () => {
    const sample = await enrolled();
    for (const userHandle of [USER.handle, null, ""]) {
      expect(await asserted(sample.credential, await assertionOf(sample, { userHandle }))).toBeDefined();
    }
    const response = await assertionOf(sample);
    const withNull = { ...response, response: { ...response.response, userHandle: null } };
    expect(await asserted(sample.credential, withNull)).toBeDefined();
  });

  it("is told how to be reached in words that are known, once each", async () => {
    const transports = ["usb", "nfc", "usb", "carrier-pigeon", "", "<script>"];
    expect((await enrolled({ transports })).credential.transports).toEqual(["nfc", "usb"]);
    const response = await registrationOf(newAuthenticator());
    const { transports: _, ...rest } = response.response;
    expect(await registered({ ...response, response: rest } as never)).toMatchObject({ transports: [] });
  });

  it.each([1, 16, 64, 1023])("may have an id of %i bytes", async (length) => {
    const sample = await enrolled({}, { credentialId: new Uint8Array(length).fill(0xa5) });
    expect(await asserted(sample.credential, await assertionOf(sample))).toBeDefined();
  });

  it.each(HARMLESS_CLIENT_DATA)("is none the worse for %s", async (_, edits) => {
    expect(await registered(await registrationOf(newAuthenticator(), edits))).toBeDefined();
    const sample = await enrolled();
    expect(await asserted(sample.credential, await assertionOf(sample, edits))).toBeDefined();
  });
});

describe("the challenge that a response names", () => {
  it("is read without anything else", async () => {
    const sample = await enrolled();
    const forged: Edits = {
      clientData: { origin: "https://evil.example", type: "x" },
      signature: () => new Uint8Array(),
    };
    expect(clientChallenge(await assertionOf(sample))).toBe(CHALLENGES.get);
    expect(clientChallenge(await assertionOf(sample, forged))).toBe(CHALLENGES.get);
  });

  it.each(["AA==", "AB", "A", "A A", "+A", "", 7, null, ["AAAA"]])(
    "is not %j, which no browser writes",
    async (challenge) => {
      const response = await assertionOf(await enrolled(), { clientData: { challenge } });
      expect(clientChallenge(response)).toBeUndefined();
    },
  );

  it("is none of bytes that are no text", () => {
    const bytes = Buffer.concat([Buffer.from('{"challenge":"AAAA","x":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect(clientChallenge({ response: { clientDataJSON: bytes.toString("base64url") } })).toBeUndefined();
    const text = Buffer.from('{"challenge":"AAAA","x":""}').toString("base64url");
    expect(clientChallenge({ response: { clientDataJSON: text } })).toBe("AAAA");
  });
});

describe("the signature counter", () => {
  it.each([
    [0, 0, true],
    [0, 1, true],
    [1, 2, true],
    [10, 4_294_967_295, true],
    [10, 10, false],
    [10, 9, false],
    [10, 0, false],
    [1, 0, false],
  ])("after %i %i may follow: %s", (stored, presented, allowed) => {
    expect(mayFollow(stored, presented)).toBe(allowed);
  });

  it("never takes the same value twice, once it counts", () => {
    fc.assert(fc.property(fc.nat(), fc.nat(), (a, b) => !(mayFollow(a, b) && mayFollow(b, a)) || a + b === 0));
  });

  it("is handed on as it is, for the store of the last one to judge", async () => {
    const sample = await enrolled({ signCount: 10 });
    for (const signCount of [0, 9, 10, 11, 4_294_967_295]) {
      const assertion = await asserted(sample.credential, await assertionOf(sample, { signCount }));
      expect(assertion?.signCount).toBe(signCount);
    }
  });
});

describe("the library", () => {
  it("waits for the first passkey", async () => {
    const load = vi.fn(() => ({}));
    vi.doMock("@simplewebauthn/server", load);
    const passkey = await import("../../../src/factors/passkey.ts");
    passkey.creationOptions(RP, CHALLENGES.create, USER, []);
    passkey.clientChallenge({ response: { clientDataJSON: "" } });
    expect(load).not.toHaveBeenCalled();
    await passkey.verifyRegistration(RP, CHALLENGES.create, await registrationOf(newAuthenticator()));
    expect(load).toHaveBeenCalledOnce();
  });

  it("that does not load is a fault, and no reason to refuse", async () => {
    const sample = await enrolled();
    const [registration, assertion] = [await registrationOf(newAuthenticator()), await assertionOf(sample)];
    vi.doMock("@simplewebauthn/server", () => {
      throw new Error("no such module");
    });
    const { verifyAssertion, verifyRegistration } = await import("../../../src/factors/passkey.ts");
    const policy = { requireUserVerification: false, userHandle: USER.handle };
    await expect(verifyRegistration(RP, CHALLENGES.create, registration)).rejects.toThrow();
    await expect(verifyAssertion(RP, CHALLENGES.get, sample.credential, assertion, policy)).rejects.toThrow();
  });
});
