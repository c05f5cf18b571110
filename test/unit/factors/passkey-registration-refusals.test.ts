import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  type CborValue,
  cbor,
  type Edits,
  type RegistrationJson,
  type SoftwareCredential,
} from "../../support/software-authenticator.ts";
import {
  MISSPELT,
  newAuthenticator,
  quickestOf,
  registered,
  registrationOf,
  WRONG_CLIENT_DATA,
} from "../support/passkey-samples.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** An ES256 and an RS256 key with their parts, to be put together wrongly. */
let ec: { x: Uint8Array; y: Uint8Array };
let rsa: { n: Uint8Array; e: Uint8Array; credential: SoftwareCredential };

beforeAll(async () => {
  const key = async (algorithm: -7 | -257) => {
    const authenticator = newAuthenticator({ algorithm });
    await registrationOf(authenticator);
    const credential = authenticator.credentials[0] as SoftwareCredential;
    const spki = Buffer.from(credential.spki);
    return { credential, spki };
  };
  const { spki } = await key(-7);
  ec = { x: spki.subarray(-64, -32), y: spki.subarray(-32) };
  const { credential } = await key(-257);
  // The COSE key: four labels, 256 bytes of n behind their two bytes of length, then three of e.
  const cose = Buffer.from(credential.publicKey);
  rsa = { n: cose.subarray(-261, -5), e: cose.subarray(-3), credential };
}, 20_000);

const ES256: [number, CborValue][] = [
  [1, 2],
  [3, -7],
  [-1, 1],
];
const keyOf = (...members: [number | string, CborValue][]) => cbor(new Map(members));
const ecKey = (change: Record<number, CborValue | undefined> = {}) => {
  const members = new Map<number, CborValue | undefined>([...ES256, [-2, ec.x], [-3, ec.y]]);
  for (const [label, value] of Object.entries(change)) members.set(Number(label), value);
  return keyOf(...([...members].filter(([, value]) => value !== undefined) as [number, CborValue][]));
};
const rsaKey = (n: Uint8Array, e: Uint8Array) => keyOf([1, 3], [3, -257], [-1, n], [-2, e]);
const xored = (bytes: Uint8Array, at: number) => bytes.with(at, (bytes.at(at) ?? 0) ^ 1);

describe("the samples", () => {
  it("are good keys when they are put together rightly", async () => {
    for (const publicKey of [ecKey(), rsaKey(rsa.n, rsa.e)]) {
      expect(await registered(await registrationOf(newAuthenticator(), { publicKey }))).toBeDefined();
    }
  });
});

describe("a registration is refused for", () => {
  const edits: [name: string, edits: () => Edits][] = [
    ...WRONG_CLIENT_DATA.map(([name, edit]): [string, () => Edits] => [name, () => edit]),
    ["the type of an assertion", () => ({ clientData: { type: "webauthn.get" } })],
    ...["www.example.com", "com", "example.com.", "EXAMPLE.COM", "evil.example", ""].map(
      (rpId): [string, () => Edits] => [`the relying party ${JSON.stringify(rpId)}`, () => ({ rpId })],
    ),
    ["nobody present", () => ({ flags: { up: false } })],
    ["a backup of what cannot be backed up", () => ({ flags: { be: false, bs: true } })],
    ["no attested data", () => ({ flags: { at: false } })],
    ["extensions that are not there", () => ({ flags: { ed: true } })],
    ["extensions nobody announced", () => ({ authenticatorData: (bytes) => Uint8Array.from([...bytes, 0xa0]) })],
    ["bytes behind the extensions", () => behindExtensions([0x00])],
    ["extensions of indefinite length", () => behindExtensions([], [0xbf, 0xff])],
    ["an id of 1,024 bytes", () => ({ credentialId: new Uint8Array(1024) })],
    ["an id of no bytes", () => ({ credentialId: new Uint8Array(0) })],

    ["Ed25519, which was not offered", () => ({ publicKey: keyOf([1, 1], [3, -8], [-1, 6], [-2, ec.x]) })],
    ["ES384, which was not offered", () => ({ publicKey: ecKey({ 3: -35 }) })],
    ["a key that names no algorithm", () => ({ publicKey: ecKey({ 3: undefined }) })],
    ["a key that names its algorithm in words", () => ({ publicKey: ecKey({ 3: "ES256" }) })],
    ["a key of another curve", () => ({ publicKey: ecKey({ [-1]: 2 }) })],
    ["a longer key of another curve", () => ({ publicKey: otherCurve() })],
    ["an RSA key that says ES256", () => ({ publicKey: keyOf([1, 3], [3, -7], [-1, rsa.n], [-2, rsa.e]) })],
    ["an ES256 key that says it is RSA", () => ({ publicKey: ecKey({ 1: 3 }) })],
    ["an ES256 key of no type", () => ({ publicKey: ecKey({ 1: undefined, 4: 2 }) })],
    [
      "an RS256 key that says it is elliptic",
      () => ({ publicKey: keyOf([1, 2], [3, -257], [-1, rsa.n], [-2, rsa.e]) }),
    ],
    [
      "an RSA key with a member more",
      () => ({ publicKey: keyOf([1, 3], [3, -257], [-1, rsa.n], [-2, rsa.e], [-3, rsa.n]) }),
    ],
    ["an elliptic key that says RS256", () => ({ publicKey: ecKey({ 3: -257 }) })],
    ["a point that is not on the curve", () => ({ publicKey: ecKey({ [-3]: xored(ec.y, 31) }) })],
    ["the point zero", () => ({ publicKey: ecKey({ [-2]: new Uint8Array(32), [-3]: new Uint8Array(32) }) })],
    ["a coordinate beyond the field", () => ({ publicKey: ecKey({ [-2]: new Uint8Array(32).fill(0xff) }) })],
    ["a coordinate of 31 bytes", () => ({ publicKey: ecKey({ [-2]: ec.x.subarray(1) }) })],
    ["a coordinate of 33 bytes", () => ({ publicKey: ecKey({ [-2]: Uint8Array.from([0, ...ec.x]) }) })],
    ["a coordinate in words", () => ({ publicKey: ecKey({ [-2]: "x".repeat(32) }) })],
    ["a second coordinate of 33 bytes", () => ({ publicKey: ecKey({ [-3]: Uint8Array.from([0, ...ec.y]) }) })],
    ["a second coordinate in words", () => ({ publicKey: ecKey({ [-3]: "y".repeat(32) }) })],
    ["a missing coordinate", () => ({ publicKey: ecKey({ [-3]: undefined }) })],
    ["a key with a member more", () => ({ publicKey: ecKey({ 4: [2] }) })],
    ["a key with its private half", () => ({ publicKey: ecKey({ [-4]: ec.x }) })],
    ["a key that is a list", () => ({ publicKey: cbor([1, 2, 3]) })],
    ["no key", () => ({ publicKey: new Uint8Array(0) })],
    ["an RSA key of 1024 bits", () => ({ publicKey: rsaKey(rsa.n.subarray(0, 128), rsa.e) })],
    ["an RSA key of 8192 bits", () => ({ publicKey: rsaKey(new Uint8Array(1024).fill(0xff), rsa.e) })],
    ["an RSA key with zeros in front", () => ({ publicKey: rsaKey(Uint8Array.from([0, ...rsa.n]), rsa.e) })],
    ["the RSA exponent 1", () => ({ publicKey: rsaKey(rsa.n, Uint8Array.of(1)) })],
    ["the RSA exponent 3", () => ({ publicKey: rsaKey(rsa.n, Uint8Array.of(3)) })],
    ["a huge RSA exponent", () => ({ publicKey: rsaKey(rsa.n, rsa.n) })],
    ["another RSA exponent of three bytes", () => ({ publicKey: rsaKey(rsa.n, Uint8Array.of(1, 0, 3)) })],

    ["a statement where there should be none", () => ({ attestation: { fmt: "none", attStmt: { alg: -7 } } })],
    ["a list for a statement", () => ({ attestation: { fmt: "none", attStmt: [] } })],
    ["a text for a statement", () => ({ attestation: { fmt: "none", attStmt: "" } })],
    ["an unknown format", () => ({ attestation: { fmt: "made-up", attStmt: {} } })],
    ["a format in capitals", () => ({ attestation: { fmt: "NONE", attStmt: {} } })],
    ["self attestation of a lost signature", () => ({ ...SELF, signature: () => new Uint8Array(0) })],
    ["self attestation with a bit changed", () => ({ ...SELF, signature: (bytes) => xored(bytes, -1) })],
    ["self attestation with zeros behind it", () => ({ ...SELF, signature: withZerosInside })],
    ["a packed statement without a signature", () => ({ attestation: { fmt: "packed", attStmt: { alg: -7 } } })],
    ["an empty packed statement", () => ({ attestation: { fmt: "packed", attStmt: {} } })],
  ];

  it.each(edits)("%s", async (_, edit) => {
    expect(await registered(await registrationOf(newAuthenticator(), edit()))).toBeUndefined();
  });

  it("a self attestation that names another algorithm than its key", async () => {
    const authenticator = newAuthenticator();
    await registrationOf(authenticator);
    const own = authenticator.credentials[0] as SoftwareCredential;
    for (const algorithm of [-7, -257, -35, -8]) {
      const response = await registrationOf(authenticator, { ...SELF, credential: { ...own, algorithm } });
      expect((await registered(response)) !== undefined, `${algorithm}`).toBe(algorithm === -7);
    }
  });

  it("certificates, and asks no address that they name", async () => {
    const fetching = vi.spyOn(globalThis, "fetch");
    const sig = new Uint8Array(70);
    for (const fmt of ["packed", "fido-u2f", "android-key", "android-safetynet", "apple", "tpm"]) {
      const attStmt = { alg: -7, sig, x5c: [new Uint8Array(300)], ver: "2.0" };
      const response = await registrationOf(newAuthenticator(), { attestation: { fmt, attStmt } });
      expect(await registered(response), fmt).toBeUndefined();
    }
    expect(fetching).not.toHaveBeenCalled();
  });
});

describe("a registration is refused whose", () => {
  const changes: [name: string, change: (response: RegistrationJson) => unknown][] = [
    ["id is not its raw id", (response) => ({ ...response, id: other(response.id) })],
    ["raw id is not its id", (response) => ({ ...response, rawId: other(response.id) })],
    [
      "ids are not the attested one",
      (response) => ({ ...response, id: other(response.id), rawId: other(response.id) }),
    ],
    ["type is another", (response) => ({ ...response, type: "password" })],
    ...MISSPELT.flatMap(([name, misspell]): [string, (response: RegistrationJson) => unknown][] => [
      [`id has ${name}`, (response) => ({ ...response, id: misspell(response.id), rawId: misspell(response.id) })],
      [`client data has ${name}`, (response) => withPart(response, "clientDataJSON", misspell)],
      [`attestation object has ${name}`, (response) => withPart(response, "attestationObject", misspell)],
    ]),
  ];

  it.each(changes)("%s", async (_, change) => {
    const response = await registrationOf(newAuthenticator());
    expect(await registered(response)).toBeDefined();
    expect(await registered(change(response) as RegistrationJson)).toBeUndefined();
  });

  it("attestation object is cut anywhere, or has a byte behind it", async () => {
    const response = await registrationOf(newAuthenticator());
    const whole = Buffer.from(response.response.attestationObject, "base64url");
    const changed = Array.from({ length: whole.length }, (_, length) => whole.subarray(0, length));
    for (const bytes of [...changed, Buffer.concat([whole, Buffer.of(0)]), Buffer.concat([whole, whole])]) {
      const cut = withPart(response, "attestationObject", () => bytes.toString("base64url"));
      expect(await registered(cut), `${bytes.length} of ${whole.length}`).toBeUndefined();
    }
  });

  it("attestation object is spelled in another way than the shortest", async () => {
    const response = await registrationOf(newAuthenticator());
    const hex = Buffer.from(response.response.attestationObject, "base64url").toString("hex");
    for (const [from, to] of [
      [/^a3/, "b803"],
      [/^a3(.*)$/, "bf$1ff"],
      [/63666d74/, "7803666d74"],
      [/646e6f6e65/, "7f646e6f6e65ff"],
      [/^a363666d74/, "a463666d74646e6f6e6563666d74"],
      [/^a3/, "c0a3"],
      [/58(..)/, "5900$1"],
    ] as const) {
      const changed = hex.replace(from, to);
      expect(changed).not.toBe(hex);
      const respelt = withPart(response, "attestationObject", () => Buffer.from(changed, "hex").toString("base64url"));
      expect(await registered(respelt), to).toBeUndefined();
    }
  });
});

describe("an odd attestation object is refused in under 50 ms:", () => {
  const odd: [name: string, bytes: () => Uint8Array][] = [
    ["lists within lists", () => new Uint8Array(2_600).fill(0x81)],
    ["maps within maps", () => Buffer.from(`${"a100".repeat(1_300)}00`, "hex")],
    ["tags within tags", () => new Uint8Array(2_600).fill(0xc0)],
    ["a map that says it has four billion members", () => Buffer.from(`ba${"f".repeat(8)}0000`, "hex")],
    ["a list that says it has 2^64 members", () => Buffer.from(`9b${"f".repeat(16)}0000`, "hex")],
    ["bytes that say they are 2^53", () => Buffer.from("5b002000000000000000", "hex")],
    ["a thousand numbers", () => Buffer.concat([Buffer.from("9903e8", "hex"), new Uint8Array(1000)])],
    ["48 KiB of zeros", () => new Uint8Array(48 * 1024)],
    ["48 KiB of lists", () => new Uint8Array(48 * 1024).fill(0x81)],
    ["a megabyte of breaks", () => new Uint8Array(1024 * 1024).fill(0xff)],
  ];

  it.each(odd)("%s", async (_, bytes) => {
    const response = await registrationOf(newAuthenticator());
    const changed = withPart(response, "attestationObject", () => Buffer.from(bytes()).toString("base64url"));
    expect(await quickestOf(async () => expect(await registered(changed)).toBeUndefined())).toBeLessThan(50);
  });

  it.each(odd)("%s inside authenticator data", async (_, bytes) => {
    const response = await registrationOf(newAuthenticator(), { publicKey: bytes().subarray(0, 40_000) });
    expect(await quickestOf(async () => expect(await registered(response)).toBeUndefined())).toBeLessThan(50);
  });

  it.each([
    ["id", (response: RegistrationJson, text: string) => ({ ...response, id: text, rawId: text })],
    ["clientDataJSON", (response: RegistrationJson, text: string) => withPart(response, "clientDataJSON", () => text)],
  ])("or a megabyte of %s", async (_, change) => {
    const response = change(await registrationOf(newAuthenticator()), "A".repeat(1024 * 1024));
    expect(await quickestOf(async () => expect(await registered(response)).toBeUndefined())).toBeLessThan(50);
  });
});

const SELF: Edits = { attestation: { fmt: "packed", attStmt: "self" } };

const other = (id: string) => Buffer.from(xored(Buffer.from(id, "base64url"), 0)).toString("base64url");

const otherCurve = () =>
  keyOf([1, 2], [3, -7], [-1, 2], [-2, new Uint8Array(48).fill(1)], [-3, new Uint8Array(48).fill(2)]);

const behindExtensions = (more: number[], extensions = [0xa0]): Edits => ({
  flags: { ed: true },
  authenticatorData: (bytes) => Uint8Array.from([...bytes, ...extensions, ...more]),
});

/** A null behind both integers: what a parser of BER reads without a word. */
const withZerosInside = (bytes: Uint8Array) => Uint8Array.from([0x30, (bytes[1] ?? 0) + 2, ...bytes.slice(2), 0, 0]);

function withPart(
  response: RegistrationJson,
  part: "clientDataJSON" | "attestationObject",
  change: (text: string) => string,
): RegistrationJson {
  return { ...response, response: { ...response.response, [part]: change(response.response[part]) } };
}
