import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  challenged,
  distinguishable,
  issuer,
  type Session,
  signedIn,
  verifiedPerson,
} from "../../support/client.ts";
import {
  aal2,
  addPasskey,
  answerWithPasskey,
  creation,
  creationOptions,
  credentialOf,
  factorsOf,
  type PasskeyPerson,
  passkeyPerson,
  register,
  request,
  secondFactorOptions,
  securityKey,
  signInByPasskey,
  syncedPasskey,
  usernamelessOptions,
  verifyPasskey,
} from "../../support/passkey-client.ts";
import {
  type CborValue,
  cbor,
  type Edits,
  type RegistrationJson,
  type SoftwareAuthenticator,
} from "../../support/software-authenticator.ts";

interface Mutation {
  edits?: Edits;
  passkey?: SoftwareAuthenticator;
  change?: (response: RegistrationJson) => RegistrationJson;
}

const { host, port } = new URL(issuer);
const client = (clientData: Record<string, unknown>): Mutation => ({ edits: { clientData } });
const behind = (member: string): Mutation => ({
  edits: { clientDataText: (text) => `${text.slice(0, -1)},${member}}` },
});
const before = (member: string): Mutation => ({ edits: { clientDataText: (text) => `{${member},${text.slice(1)}` } });
const flags = (changed: NonNullable<Edits["flags"]>): Mutation => ({ edits: { flags: changed } });
const object = (attestationObject: (bytes: Uint8Array) => Uint8Array): Mutation => ({ edits: { attestationObject } });
const data = (authenticatorData: (bytes: Uint8Array) => Uint8Array): Mutation => ({ edits: { authenticatorData } });
const key = (...entries: [number, CborValue][]): Mutation => ({ edits: { publicKey: cbor(new Map(entries)) } });
const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
const name = (bytes: number) => randomBytes(bytes).toString("base64url");
const append = (bytes: Uint8Array, ...more: number[]) => Uint8Array.from([...bytes, ...more]);

const mutations: Record<string, Mutation> = {
  "type of an assertion": client({ type: "webauthn.get" }),
  "no type": client({ type: undefined }),
  "a random challenge": client({ challenge: name(32) }),
  "no challenge": client({ challenge: undefined }),
  "an empty challenge": client({ challenge: "" }),
  "another scheme": client({ origin: issuer.replace("http:", "https:") }),
  "another port": client({ origin: "http://localhost:1" }),
  "no port": client({ origin: "http://localhost" }),
  "a trailing slash": client({ origin: `${issuer}/` }),
  "a subdomain": client({ origin: `http://sub.${host}` }),
  "a suffix": client({ origin: `http://localhost.evil.example:${port}` }),
  "a null origin": client({ origin: "null" }),
  "no origin": client({ origin: undefined }),
  "crossOrigin true": client({ crossOrigin: true }),
  "crossOrigin and topOrigin": client({ crossOrigin: true, topOrigin: issuer }),
  "topOrigin alone": client({ topOrigin: issuer }),
  "a second challenge behind": behind('"challenge":"AAAA"'),
  "a second challenge before": before('"challenge":"AAAA"'),
  "a second origin before": before('"origin":"https://evil.example"'),
  "a second type before": before('"type":"webauthn.get"'),
  "client data cut short": { edits: { clientDataText: (text) => text.slice(0, -1) } },

  "another rpId": { edits: { rpId: "evil.example" } },
  "the origin as rpId": { edits: { rpId: issuer } },
  "nobody present": flags({ up: false }),
  "a backup without permission": flags({ be: false, bs: true }),
  "no attested data": flags({ at: false }),
  "extensions announced and not there": flags({ ed: true }),
  "authenticator data cut short": data((bytes) => bytes.slice(0, -1)),
  "authenticator data with more behind it": data((bytes) => append(bytes, 0)),
  "authenticator data without a credential": data((bytes) => bytes.slice(0, 37)),

  "an algorithm that was not offered": { passkey: syncedPasskey({ algorithm: -8 }) },
  "a key off the curve": key([1, 2], [3, -7], [-1, 1], [-2, random(32)], [-3, new Uint8Array(32)]),
  "a key of another kind than its algorithm": key([1, 3], [3, -7], [-1, random(256)], [-2, Uint8Array.of(1, 0, 1)]),
  "a key without a point": key([1, 2], [3, -7], [-1, 1]),
  "a key of another curve": key([1, 2], [3, -7], [-1, 2], [-2, random(48)], [-3, random(48)]),
  "a key that is no map": { edits: { publicKey: cbor("key") } },
  "no key": { edits: { publicKey: new Uint8Array() } },
  "an id of 1,024 bytes": { edits: { credentialId: random(1_024) } },
  "an empty id": { edits: { credentialId: new Uint8Array() } },
  "another id outside than inside": {
    change: (response) => ({ ...response, id: name(32), rawId: name(32) }),
  },
  "an id that is not the raw id": {
    change: (response) => ({ ...response, id: name(32) }),
  },

  "an attestation object cut short": object((bytes) => bytes.slice(0, -1)),
  "an attestation object with more behind it": object((bytes) => append(bytes, 0)),
  "an attestation object of indefinite length": object((bytes) => append(Uint8Array.of(0xbf, ...bytes.slice(1)), 0xff)),
  "an attestation object of endless members": object(() => Uint8Array.of(0xbb, ...new Array(8).fill(0xff))),
  "an attestation object that is a number": object(() => Uint8Array.of(7)),
  "an attestation object of 100 levels": object(() => new Uint8Array(10_000).fill(0x81)),
  "no attestation, with a statement": { edits: { attestation: { fmt: "none", attStmt: { sig: random(8) } } } },
  "an attestation nobody knows": { edits: { attestation: { fmt: "made-up", attStmt: {} } } },
  "an attestation with a wrong signature": {
    edits: { attestation: { fmt: "packed", attStmt: { alg: -7, sig: random(70) } } },
  },
};

/** The names of those that were not refused as all should be. */
const unlike = (answers: [string, Answer][]) => {
  const words = (answer: Answer) => JSON.stringify(distinguishable(answer));
  const [, first] = answers[0] ?? [];
  return answers
    .filter(
      ([, one]) => one.status !== 400 || one.body.code !== "invalid_request" || words(one) !== (first && words(first)),
    )
    .map(([name, { status, text }]) => `${name}: ${status} ${text}`);
};

async function refusal(session: Session, { edits, passkey = syncedPasskey(), change }: Mutation): Promise<Answer> {
  const response = await passkey.register(creation(await creationOptions(session.access)), edits);
  return register(session.access, change?.(response) ?? response);
}

describe("a registration with one thing wrong", () => {
  it("is refused, always in the same words, and adds nothing", async () => {
    const session = await signedIn(await verifiedPerson());
    const answers: [string, Answer][] = [];
    for (const [name, mutation] of Object.entries(mutations)) answers.push([name, await refusal(session, mutation)]);
    expect(unlike(answers)).toEqual([]);
    expect(await factorsOf(session.access)).toEqual([]);
    expect((await addPasskey(session.access, syncedPasskey())).status).toBe(201);
  });

  it("uses its options up: a right one needs new ones", async () => {
    const session = await signedIn(await verifiedPerson());
    const options = creation(await creationOptions(session.access));
    const wrong = await syncedPasskey().register(options, { clientData: { origin: "null" } });
    expect((await register(session.access, wrong)).status).toBe(400);
    expect((await register(session.access, await syncedPasskey().register(options))).status).toBe(400);
    expect((await addPasskey(session.access, syncedPasskey())).status).toBe(201);
  });

  it("is refused without delay, however large", async () => {
    const session = await signedIn(await verifiedPerson());
    const huge = [object(() => new Uint8Array(40_000).fill(0x81)), object(() => new Uint8Array(40_000).fill(0xa1))];
    for (const mutation of huge) {
      const start = performance.now();
      expect((await refusal(session, mutation)).status).toBe(400);
      expect(performance.now() - start).toBeLessThan(2_000);
    }
  });
});

describe("a credential id", () => {
  let owner: PasskeyPerson;
  beforeAll(async () => {
    owner = await passkeyPerson();
  });

  it("of another account is refused, with its own key and with another", async () => {
    const session = await signedIn(await verifiedPerson());
    const known = credentialOf(owner.passkey);
    const id = new Uint8Array(Buffer.from(known.id, "base64url"));
    const answers: [string, Answer][] = [
      ["any other reason", await refusal(session, client({ type: "webauthn.get" }))],
      ["its key", await refusal(session, { edits: { credential: { ...known } } })],
      ["another key", await refusal(session, { edits: { credentialId: id } })],
    ];
    expect(unlike(answers)).toEqual([]);
    expect(await factorsOf(session.access)).toEqual([]);
    expect((await signInByPasskey(owner.passkey)).body.status).toBe("authenticated");
  });

  it("of the own account is in the list of what to leave out, and refused", async () => {
    const person = await passkeyPerson();
    const session = await aal2(person);
    const options = creation(await creationOptions(session.access));
    const { id } = credentialOf(person.passkey);
    expect(options.excludeCredentials).toEqual([expect.objectContaining({ id, type: "public-key" })]);
    await expect(person.passkey.register(options)).rejects.toThrow("the authenticator is registered");
    const again = await refusal(session, { edits: { credential: { ...credentialOf(person.passkey) } } });
    expect(unlike([["again", again]])).toEqual([]);
    expect((await factorsOf(session.access)).length).toBe(1);
  });

  it("may have 1,023 bytes", async () => {
    const person = await verifiedPerson();
    const passkey = syncedPasskey();
    const answer = await addPasskey((await signedIn(person)).access, passkey, {}, { credentialId: random(1_023) });
    expect(answer.status, answer.text).toBe(201);
    expect((await signInByPasskey(passkey)).body.status).toBe("authenticated");
  });

  it("is known from the first of two accounts on, when both register it at once", async () => {
    const sessions = [await signedIn(await verifiedPerson()), await signedIn(await verifiedPerson())];
    const passkey = securityKey();
    const id = random(32);
    const responses = await Promise.all(
      sessions.map(async ({ access }) =>
        passkey.register(creation(await creationOptions(access)), { credentialId: id }),
      ),
    );
    const answers = await Promise.all(
      sessions.flatMap(({ access }, i) => Array.from({ length: 5 }, () => register(access, responses[i] ?? {}))),
    );
    expect(answers.filter(({ status }) => status === 201).length).toBe(1);
    for (const answer of answers) expect([201, 400]).toContain(answer.status);
  });
});

describe("a challenge of another purpose", () => {
  it("registers nothing", async () => {
    const person = await passkeyPerson();
    const session = await aal2(person);
    const challenges: Record<string, string> = {
      "of the second factor": request(await secondFactorOptions(await challenged(person))).challenge,
      "without a user name": request(await usernamelessOptions()).challenge,
    };
    const answers: [string, Answer][] = [["any other", await refusal(session, client({ origin: "null" }))]];
    for (const [name, challenge] of Object.entries(challenges)) {
      answers.push([name, await refusal(session, client({ challenge }))]);
    }
    expect(unlike(answers)).toEqual([]);
    expect((await factorsOf(session.access)).length).toBe(1);
  });

  it("signs nobody in when it was made for a registration, which goes on", async () => {
    const person = await passkeyPerson();
    const session = await aal2(person);
    const options = creation(await creationOptions(session.access));
    const assertion = await person.passkey.assert({ challenge: options.challenge });
    expect((await verifyPasskey(assertion)).body.code).toBe("invalid_code");
    const challenge = await challenged(person);
    await secondFactorOptions(challenge);
    expect((await answerWithPasskey(challenge, assertion)).body.code).toBe("invalid_code");
    expect((await register(session.access, await securityKey().register(options))).status).toBe(201);
  });
});
