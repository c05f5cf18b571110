import { beforeAll, describe, expect, it } from "vitest";
import type { AssertionJson, Edits, SoftwareCredential } from "../../support/software-authenticator.ts";
import { bitFlipsOf } from "../support/byte-flips.ts";
import {
  asserted,
  assertionOf,
  CHALLENGES,
  type Enrolled,
  enrolled,
  HANDLE,
  MISSPELT,
  quickestOf,
  WRONG_CLIENT_DATA,
} from "../support/passkey-samples.ts";

/** A passkey of many devices, one on a key, and one of somebody else. */
let synced: Enrolled;
let hardware: Enrolled;
let foreign: Enrolled;

beforeAll(async () => {
  synced = await enrolled();
  hardware = await enrolled({ backupEligible: false, signCount: "rising" });
  foreign = await enrolled();
});

describe("an assertion is refused for", () => {
  const edits: [name: string, edits: Edits][] = [
    ...WRONG_CLIENT_DATA,
    ["the type of a registration", { clientData: { type: "webauthn.create" } }],
    ["the challenge of a registration", { clientData: { challenge: CHALLENGES.create } }],
    ...["www.example.com", "com", "example.com.", "EXAMPLE.COM", "evil.example", ""].map((rpId): [string, Edits] => [
      `the relying party ${JSON.stringify(rpId)}`,
      { rpId },
    ]),
    ["nobody present", { flags: { up: false } }],
    ["nobody present, but verified", { flags: { up: false, uv: true } }],
    ["a backup of what cannot be backed up", { flags: { be: false, bs: true } }],
    ["a passkey that cannot be backed up any more", { flags: { be: false, bs: false } }],
    ["attested data that is not there", { flags: { at: true } }],
    ["extensions that are not there", { flags: { ed: true } }],
    ["extensions nobody announced", { authenticatorData: (bytes) => Uint8Array.from([...bytes, 0xa0]) }],
    ["a byte less", { authenticatorData: (bytes) => bytes.subarray(0, 36) }],
    ["no authenticator data", { authenticatorData: () => new Uint8Array(0) }],
    [
      "4 KiB of extensions",
      withExtensions(Uint8Array.from([0xa1, 0x61, 0x78, 0x59, 0x10, 0, ...new Uint8Array(4096)])),
    ],
    ["no signature", { signature: () => new Uint8Array(0) }],
    ["a signature of zeros", { signature: () => Uint8Array.from([0x30, 6, 2, 1, 0, 2, 1, 0]) }],
    ["a signature of 64 bare bytes", { signature: () => new Uint8Array(64).fill(1) }],
    ["the handle of another account", { userHandle: Buffer.alloc(49, 1).toString("base64url") }],
    ["a handle cut short", { userHandle: HANDLE.slice(0, -4) }],
    ["a handle with more behind it", { userHandle: `${HANDLE}AAAA` }],
    ["a handle in another spelling", { userHandle: `${HANDLE}=` }],
    ["a handle in lower case", { userHandle: HANDLE.toLowerCase() }],
  ];

  it.each(edits)("%s", async (_, edit) => {
    expect(await asserted(synced.credential, await assertionOf(synced, edit))).toBeUndefined();
  });

  it("attested credential data, which belongs into registrations", async () => {
    const id = Buffer.from(synced.credential.id, "base64url");
    const key = Buffer.from(synced.credential.publicKey, "base64url");
    const attested = Buffer.concat([Buffer.alloc(16), Buffer.of(0, id.length), id, key]);
    const edit: Edits = {
      flags: { at: true },
      authenticatorData: (bytes) => Uint8Array.from([...bytes, ...attested]),
    };
    expect(await asserted(synced.credential, await assertionOf(synced, edit))).toBeUndefined();
  });

  it("a key that may be backed up after all", async () => {
    for (const flags of [{ be: true }, { be: true, bs: true }]) {
      expect(await asserted(hardware.credential, await assertionOf(hardware, { flags }))).toBeUndefined();
    }
    expect(await asserted(hardware.credential, await assertionOf(hardware))).toBeDefined();
  });

  it("a user who was not verified, where that is required", async () => {
    const response = await assertionOf(synced, { flags: { uv: false } });
    expect(await asserted(synced.credential, response, { requireUserVerification: true })).toBeUndefined();
    expect(await asserted(synced.credential, response)).toEqual({ signCount: 0, userVerified: false });
    const verified = await asserted(synced.credential, await assertionOf(synced), { requireUserVerification: true });
    expect(verified).toEqual({ signCount: 0, userVerified: true });
  });

  it("another account than its own", async () => {
    const userHandle = Buffer.alloc(49, 1).toString("base64url");
    expect(await asserted(synced.credential, await assertionOf(synced), { userHandle })).toBeUndefined();
  });
});

describe("an assertion is refused that was made", () => {
  it("by another passkey", async () => {
    const response = await assertionOf(foreign);
    expect(await asserted(foreign.credential, response)).toBeDefined();
    expect(await asserted(synced.credential, response)).toBeUndefined();
  });

  it("by another passkey in this one's name", async () => {
    const { id } = synced.credential;
    const response = await assertionOf(foreign);
    expect(await asserted(synced.credential, { ...response, id, rawId: id })).toBeUndefined();
  });

  it("by this passkey in another's name", async () => {
    const { id } = foreign.credential;
    const response = await assertionOf(synced);
    expect(await asserted(synced.credential, { ...response, id, rawId: id })).toBeUndefined();
  });

  it("by another key of the same id", async () => {
    const [key] = foreign.authenticator.credentials as [SoftwareCredential];
    const credential = { ...key, id: synced.credential.id };
    expect(await asserted(synced.credential, await assertionOf(synced, { credential }))).toBeUndefined();
  });
});

describe("an assertion is refused whose", () => {
  const changes: [name: string, change: (response: AssertionJson) => unknown][] = [
    ["id is not its raw id", (response) => ({ ...response, id: foreign.credential.id })],
    ["raw id is not its id", (response) => ({ ...response, rawId: foreign.credential.id })],
    ["type is another", (response) => ({ ...response, type: "password" })],
    ...MISSPELT.flatMap(([name, misspell]): [string, (response: AssertionJson) => unknown][] => [
      [`id has ${name}`, (response) => ({ ...response, id: misspell(response.id), rawId: misspell(response.id) })],
      [`client data has ${name}`, (response) => withPart(response, "clientDataJSON", misspell)],
      [`authenticator data has ${name}`, (response) => withPart(response, "authenticatorData", misspell)],
      [`signature has ${name}`, (response) => withPart(response, "signature", misspell)],
    ]),
  ];

  it.each(changes)("%s", async (_, change) => {
    const response = await assertionOf(synced);
    expect(await asserted(synced.credential, response)).toBeDefined();
    expect(await asserted(synced.credential, change(response) as AssertionJson)).toBeUndefined();
  });

  it.each(["signature", "authenticatorData", "clientDataJSON"] as const)("%s has any bit changed", async (part) => {
    const response = await assertionOf(synced);
    const flips = bitFlipsOf(response.response[part]);
    // Bytes in the hundreds, of which the shortest part has 37.
    expect(flips.length).toBeGreaterThan(37 * 8 - 1);
    for (const flipped of flips) {
      const changed = withPart(response, part, () => flipped);
      expect(await asserted(synced.credential, changed), flipped).toBeUndefined();
    }
  });

  it("RSA signature is too short, too long or changed", async () => {
    const rsa = await enrolled({ algorithm: -257 });
    const edits: ((bytes: Uint8Array) => Uint8Array)[] = [
      (bytes) => bytes.subarray(1),
      (bytes) => bytes.subarray(0, -1),
      (bytes) => Uint8Array.from([0, ...bytes]),
      (bytes) => Uint8Array.from([...bytes, 0]),
      (bytes) => bytes.with(0, (bytes[0] ?? 0) ^ 1),
      (bytes) => bytes.with(-1, (bytes.at(-1) ?? 0) ^ 1),
      () => new Uint8Array(256),
      () => new Uint8Array(0),
    ];
    for (const signature of edits) {
      expect(await asserted(rsa.credential, await assertionOf(rsa, { signature })), `${signature}`).toBeUndefined();
    }
    expect(await asserted(rsa.credential, await assertionOf(rsa))).toBeDefined();
  }, 20_000);

  it.each<[string, (r: number[], s: number[]) => number[]]>([
    ["a length in the long form", (r, s) => [0x30, 0x81, r.length + s.length, ...r, ...s]],
    ["an indefinite length", (r, s) => [0x30, 0x80, ...r, ...s, 0, 0]],
    ["bytes behind it", (r, s) => [0x30, r.length + s.length, ...r, ...s, 0]],
    ["bytes inside it", (r, s) => [0x30, r.length + s.length + 2, ...r, ...s, 5, 0]],
    ["a zero too many", (r, s) => [0x30, r.length + s.length + 1, 2, (r[1] ?? 0) + 1, 0, ...r.slice(2), ...s]],
    ["a third number", (r, s) => [0x30, r.length + 2 * s.length, ...r, ...s, ...s]],
    ["one number", (r) => [0x30, r.length, ...r]],
    ["a set around it", (r, s) => [0x31, r.length + s.length, ...r, ...s]],
    ["bare bytes", (r, s) => [...r.slice(-32), ...s.slice(-32)]],
  ])("ECDSA signature has %s", async (_, respell) => {
    const signature = (bytes: Uint8Array) => {
      const middle = 4 + (bytes[3] ?? 0);
      return Uint8Array.from(respell([...bytes.subarray(2, middle)], [...bytes.subarray(middle)]));
    };
    expect(await asserted(synced.credential, await assertionOf(synced, { signature }))).toBeUndefined();
  });
});

describe("an odd assertion is refused in under 50 ms:", () => {
  const odd: [name: string, extensions: Uint8Array][] = [
    ["lists within lists", new Uint8Array(2_600).fill(0x81)],
    ["maps within maps that do not end", Buffer.from("a100".repeat(1_300), "hex")],
    ["four billion members", Buffer.from(`ba${"f".repeat(8)}0000`, "hex")],
    ["48 KiB of extensions", new Uint8Array(48 * 1024).fill(0x81)],
  ];

  it.each(odd)("%s", async (_, extensions) => {
    const response = await assertionOf(synced, withExtensions(extensions));
    const judged = async () => expect(await asserted(synced.credential, response)).toBeUndefined();
    expect(await quickestOf(judged)).toBeLessThan(50);
  });

  it.each(["signature", "authenticatorData", "clientDataJSON", "userHandle"] as const)(
    "a megabyte of %s",
    async (part) => {
      const response = withPart(await assertionOf(synced), part, () => "A".repeat(1024 * 1024));
      const judged = async () => expect(await asserted(synced.credential, response)).toBeUndefined();
      expect(await quickestOf(judged)).toBeLessThan(50);
    },
  );
});

function withExtensions(extensions: Uint8Array): Edits {
  return { flags: { ed: true }, authenticatorData: (bytes) => Uint8Array.from([...bytes, ...extensions]) };
}

function withPart(
  response: AssertionJson,
  part: keyof AssertionJson["response"],
  change: (text: string) => string,
): AssertionJson {
  return { ...response, response: { ...response.response, [part]: change(response.response[part] ?? "") } };
}
