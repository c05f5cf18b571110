import { verifySignature } from "@simplewebauthn/server/helpers";
import { describe, expect, it } from "vitest";
import { ES256, isWellSpelled, RS256 } from "../../../src/factors/cose-key.ts";
import {
  type AssertionResponse,
  type Credential,
  type RegistrationResponse,
  verifyAssertion,
  verifyRegistration,
} from "../../../src/factors/passkey.ts";
import { cbor } from "../../support/software-authenticator.ts";
import { readVectors } from "../support/vectors.ts";

const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const base64url = (hex: string) => Buffer.from(hex, "hex").toString("base64url");

/** WebAuthn Level 3, section 16: every binary value in hex. */
interface WebAuthnVectors {
  rpId: string;
  origin: string;
  vectors: {
    name: string;
    registration: { challenge: string; credential_id: string; clientDataJSON: string; attestationObject: string };
    authentication: { challenge: string; authenticatorData: string; clientDataJSON: string; signature: string };
  }[];
}

interface Wycheproof {
  testGroups: {
    publicKey: { uncompressed: string };
    tests: { tcId: number; comment: string; msg: string; sig: string; result: string }[];
  }[];
}

/**
 * What we say to each: to the registration as it stands, and as a browser hands it on that was asked for no attestation. The
 * first is of the one on which the second rests: certificates are refused, other algorithms were not offered.
 */
const EXPECTED: Record<string, [asItStands: "taken" | "refused", withoutAttestation: "taken" | "refused"]> = {
  "ES256 Credential with No Attestation": ["taken", "taken"],
  "ES256 Credential with Self Attestation": ["taken", "taken"],
  'ES256 Credential with "crossOrigin": true in clientDataJSON': ["refused", "refused"],
  'ES256 Credential with "topOrigin" in clientDataJSON': ["refused", "refused"],
  "ES256 Credential with very long credential ID": ["taken", "taken"],
  "Packed Attestation with ES256 Credential": ["refused", "taken"],
  "Packed Attestation with ES384 Credential": ["refused", "refused"],
  "Packed Attestation with ES512 Credential": ["refused", "refused"],
  "Packed Attestation with RS256 Credential": ["refused", "taken"],
  "Packed Attestation with Ed25519 Credential": ["refused", "refused"],
  "Packed Attestation with Ed448 Credential": ["refused", "refused"],
  "TPM Attestation with ES256 Credential": ["refused", "taken"],
  "Android Key Attestation with ES256 Credential": ["refused", "taken"],
  "Apple Anonymous Attestation with ES256 Credential": ["refused", "taken"],
  "FIDO U2F Attestation with ES256 Credential": ["refused", "taken"],
};

describe("the vectors of WebAuthn Level 3", () => {
  const file = readVectors<WebAuthnVectors>("webauthn-l3.json");
  if (!file) {
    it.skip("NOT RUN: the file webauthn-l3.json is not beside this checkout", () => {});
    return;
  }
  const rp = { id: file.rpId, origins: [file.origin] };

  it(`are ${file.vectors.length}, and each is spoken for`, () => {
    expect(file.vectors.map(({ name }) => name)).toEqual(Object.keys(EXPECTED));
  });

  it.each(file.vectors)("$name", async ({ name, registration, authentication }) => {
    const [asItStands, withoutAttestation] = EXPECTED[name] ?? [];
    const challenge = base64url(registration.challenge);
    const response = registrationOf(registration);
    expect((await verifyRegistration(rp, challenge, response)) ? "taken" : "refused").toBe(asItStands);
    const credential = await verifyRegistration(rp, challenge, stripped(response));
    expect(credential ? "taken" : "refused").toBe(withoutAttestation);
    if (credential) await signsIn(credential, authentication);
  });

  async function signsIn(credential: Credential, vector: WebAuthnVectors["vectors"][number]["authentication"]) {
    const challenge = base64url(vector.challenge);
    const policy = { requireUserVerification: false, userHandle: "" };
    const response = assertionOf(credential.id, vector);
    const flags = bytesOf(vector.authenticatorData)[32] ?? 0;
    const assertion = await verifyAssertion(rp, challenge, credential, response, policy);
    expect(assertion).toEqual({ signCount: 0, userVerified: (flags & 0x04) !== 0 });
    const later = await verifyAssertion(rp, base64url(`${vector.challenge}00`), credential, response, policy);
    expect(later).toBeUndefined();
  }

  // A key that a browser would never have been allowed to make, as if it had been kept: only the client data is wrong.
  it("are refused for the frame that they were made in, by a passkey that is known", async () => {
    const names = Object.keys(EXPECTED).filter((name) => /crossOrigin|topOrigin/.test(name));
    expect(names).toHaveLength(2);
    for (const { registration, authentication } of file.vectors.filter(({ name }) => names.includes(name))) {
      const credential = credentialOf(registration);
      const challenge = base64url(authentication.challenge);
      const policy = { requireUserVerification: false, userHandle: "" };
      const response = assertionOf(credential.id, authentication);
      expect(await verifyAssertion(rp, challenge, credential, response, policy)).toBeUndefined();
    }
  });
});

describe("an ECDSA signature is spelled", () => {
  const ones = (length: number) => "11".repeat(length);

  it.each([
    ["two numbers", "3006 020101 02017f"],
    ["numbers that need a zero in front", "3008 02020080 020200ff"],
    ["numbers of 32 bytes", `3044 0220${ones(32)} 0220${ones(32)}`],
    ["numbers of 32 bytes behind a zero", `3046 022100ff${ones(31)} 022100ff${ones(31)}`],
  ])("well: %s", (_, hex) => {
    expect(isWellSpelled(bytesOf(hex.replaceAll(" ", "")), ES256)).toBe(true);
  });

  it.each([
    ["nothing", ""],
    ["a head alone", "30"],
    ["no numbers", "3000"],
    ["one number", "3003 020101"],
    ["three numbers", "3009 020101 020101 020101"],
    ["a number of no bytes", "3005 0200 020101"],
    ["zero", "3006 020100 020101"],
    ["zero behind", "3006 020101 020100"],
    ["a negative number", "3006 020180 020101"],
    ["a negative number behind", "3006 020101 0201ff"],
    ["a zero in front that nothing needs", "3007 0202007f 020101"],
    ["a zero too many behind", "3007 020101 02020001"],
    ["a bit string for a number", "3006 030101 020101"],
    ["text behind a number", "3006 020101 0c0101"],
    ["a set around them", "3106 020101 020101"],
    ["a number of 34 bytes", `3027 0222${ones(34)} 020101`],
    ["a length in the long form", "308106 020101 020101"],
    ["no length", "3080 020101 020101 0000"],
    ["a number's length in the long form", "3007 02810101 020101"],
    ["a length that is too short", "3005 020101 020101"],
    ["a length that is too long", "3007 020101 020101"],
    ["a number longer than the signature", "3006 020101 020201"],
    ["a byte behind it", "3006 020101 020101 00"],
    ["a byte inside it", "3007 020101 020101 00"],
  ])("badly: %s", (_, hex) => {
    expect(isWellSpelled(bytesOf(hex.replaceAll(" ", "")), ES256)).toBe(false);
  });

  it("as DER, and RSA ones are not", () => {
    expect(isWellSpelled(new Uint8Array(256), RS256)).toBe(true);
    expect(isWellSpelled(new Uint8Array(256), ES256)).toBe(false);
  });
});

describe("the signatures of Wycheproof", () => {
  const file = readVectors<Wycheproof>("ecdsa_secp256r1_sha256_test.json");
  if (!file) {
    it.skip("NOT RUN: the file ecdsa_secp256r1_sha256_test.json is not beside this checkout", () => {});
    return;
  }
  const tests = file.testGroups.flatMap((group) => group.tests.map((test) => ({ ...test, group })));
  const invalid = tests.filter(({ result }) => result === "invalid").length;

  it(`are ${tests.length}: ${invalid} are refused, and no other`, async () => {
    expect([tests.length, invalid]).toEqual([484, 310]);
    const wrong: string[] = [];
    for (const { group, tcId, comment, msg, sig, result } of tests) {
      const taken = isWellSpelled(bytesOf(sig), ES256) && (await verifies(group.publicKey.uncompressed, msg, sig));
      if (taken !== (result === "valid")) wrong.push(`${tcId} ${comment}: ${result}`);
    }
    expect(wrong).toEqual([]);
  });
});

/** The library's judgement, which reads BER. */
async function verifies(uncompressed: string, message: string, signature: string): Promise<boolean> {
  const point = bytesOf(uncompressed);
  try {
    return await verifySignature({
      data: bytesOf(message),
      signature: bytesOf(signature),
      credentialPublicKey: es256Key(point.subarray(1, 33), point.subarray(33)),
    });
  } catch {
    return false;
  }
}

const es256Key = (x: Uint8Array, y: Uint8Array) =>
  cbor(
    new Map<number, number | Uint8Array>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, x],
      [-3, y],
    ]),
  );

type Vector = WebAuthnVectors["vectors"][number];

function registrationOf(vector: Vector["registration"]): RegistrationResponse {
  const id = base64url(vector.credential_id);
  const parts = { clientDataJSON: vector.clientDataJSON, attestationObject: vector.attestationObject };
  const response = {
    clientDataJSON: base64url(parts.clientDataJSON),
    attestationObject: base64url(parts.attestationObject),
  };
  return { id, rawId: id, type: "public-key", response };
}

function assertionOf(id: string, vector: Vector["authentication"]): AssertionResponse {
  const response = {
    clientDataJSON: base64url(vector.clientDataJSON),
    authenticatorData: base64url(vector.authenticatorData),
    signature: base64url(vector.signature),
  };
  return { id, rawId: id, type: "public-key", response };
}

/** Authenticator data of an attestation object: the bytes behind its last name and their head. */
function authenticatorDataOf(attestationObject: string): Uint8Array {
  const bytes = Buffer.from(attestationObject, "base64url");
  const head = bytes.indexOf("authData") + "authData".length;
  return new Uint8Array(bytes.subarray(head + (bytes[head] === 0x59 ? 3 : 2)));
}

/** With the statement taken off, as browsers do when none was asked for (WebAuthn §5.1.3). */
function stripped({ response, ...rest }: RegistrationResponse): RegistrationResponse {
  const authData = authenticatorDataOf(response.attestationObject);
  const attestationObject = Buffer.from(cbor({ fmt: "none", attStmt: {}, authData })).toString("base64url");
  return { ...rest, response: { ...response, attestationObject } };
}

/** What we would have kept of a registration, had it been taken. */
function credentialOf(vector: Vector["registration"]): Credential {
  const data = authenticatorDataOf(base64url(vector.attestationObject));
  const key = data.subarray(55 + bytesOf(vector.credential_id).length);
  return {
    id: base64url(vector.credential_id),
    publicKey: Buffer.from(key).toString("base64url"),
    signCount: 0,
    transports: [],
    backupEligible: ((data[32] ?? 0) & 0x08) !== 0,
    userVerified: true,
  };
}
