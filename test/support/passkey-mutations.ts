import { randomBytes } from "node:crypto";
import { base64url } from "jose";
import { issuer, type Json } from "./client.ts";
import { badSignature } from "./passkey-client.ts";
import type { AssertionJson, Edits, RequestOptions, SoftwareCredential } from "./software-authenticator.ts";

/** What is changed before the key signs, and in the answer after it. */
export interface Mutation {
  edits?: Edits;
  change?: (assertion: AssertionJson) => AssertionJson | Json;
}

/** A mutation for these options, of the account's own credential; `other` is one of another account. */
export type Mutate = (options: RequestOptions, own: SoftwareCredential, other: SoftwareCredential) => Mutation;

const { host, port } = new URL(issuer);
const random = (bytes: number) => randomBytes(bytes).toString("base64url");

const client =
  (clientData: Record<string, unknown>): Mutate =>
  () => ({ edits: { clientData } });
const spelled =
  (clientDataText: (text: string) => string): Mutate =>
  () => ({ edits: { clientDataText } });
const behind = (member: string): Mutate => spelled((text) => `${text.slice(0, -1)},${member}}`);
const before = (member: string): Mutate => spelled((text) => `{${member},${text.slice(1)}`);
const challenged =
  (change: (challenge: string) => unknown): Mutate =>
  ({ challenge }) => ({
    edits: { clientData: { challenge: change(challenge) } },
  });
/** Signed with these flags. */
export const flagged =
  (flags: NonNullable<Edits["flags"]>): Mutate =>
  () => ({ edits: { flags } });
const data =
  (authenticatorData: (bytes: Uint8Array) => Uint8Array): Mutate =>
  () => ({ edits: { authenticatorData } });
const signature =
  (change: (bytes: Uint8Array) => Uint8Array): Mutate =>
  () => ({ edits: { signature: change } });
const handle =
  (change: (own: Uint8Array, other: string) => Uint8Array | string): Mutate =>
  (_, own, other) => ({
    edits: { userHandle: base64url.encode(bytesOf(change(base64url.decode(own.userHandle), other.userHandle))) },
  });
const named = (id: string) => ({ change: (answer: AssertionJson) => ({ ...answer, id, rawId: id }) });

const bytesOf = (value: Uint8Array | string) => (typeof value === "string" ? base64url.decode(value) : value);
const flip = (at: number) => (bytes: Uint8Array) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
const flipped = (text: string, at: number) => base64url.encode(flip(at)(base64url.decode(text)));
const append = (bytes: Uint8Array, ...more: number[]) => Uint8Array.from([...bytes, ...more]);
const cut = (bytes: Uint8Array) => bytes.slice(0, -1);
/** The next letter of the alphabet in last place: the same bytes, where its last bit is not used. */
const respelled = (text: string) => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return text.slice(0, -1) + (alphabet[alphabet.indexOf(text.slice(-1)) ^ 1] ?? "");
};

const table = <T>(values: readonly T[], name: string, mutate: (value: T) => Mutate): Record<string, Mutate> =>
  Object.fromEntries(values.map((value) => [`${name} ${JSON.stringify(value)}`, mutate(value)]));

const origins = [
  issuer.replace("http:", "https:"),
  "http://localhost",
  "http://localhost:1",
  `${issuer}/`,
  `${issuer}/sign-in`,
  issuer.toUpperCase(),
  `http://LOCALHOST:${port}`,
  `http://sub.${host}`,
  `http://${host}.evil.example`,
  `http://localhost.evil.example:${port}`,
  `http://evil-${host}`,
  `http://${host}@evil.example`,
  `http://127.0.0.1:${port}`,
  `http://xn--lcalhost-d6a:${port}`,
  `http://lоcalhost:${port}`,
  `${issuer} `,
  "null",
  null,
  "",
  [issuer],
  undefined,
];

const clientData: Record<string, Mutate> = {
  ...table(origins, "origin", (origin) => client({ origin })),
  ...table(["webauthn.create", "payment.get", "webauthn.get ", "WEBAUTHN.GET", "", undefined], "type", (type) =>
    client({ type }),
  ),
  "crossOrigin true": client({ crossOrigin: true }),
  "crossOrigin true with a topOrigin": client({ crossOrigin: true, topOrigin: "https://evil.example" }),
  "crossOrigin true with our own topOrigin": client({ crossOrigin: true, topOrigin: issuer }),
  "topOrigin with crossOrigin false": client({ topOrigin: "https://evil.example" }),
  "our own topOrigin with crossOrigin false": client({ topOrigin: issuer }),
  "a second origin behind": behind('"origin":"https://evil.example"'),
  "a second origin before": before('"origin":"https://evil.example"'),
  "a second type before": before('"type":"webauthn.create"'),
  "a second crossOrigin before": before('"crossOrigin":true'),
  "client data that is a list": spelled((text) => `[${text}]`),
  "client data cut short": spelled((text) => text.slice(0, -1)),
  "client data with more behind it": spelled((text) => `${text}{}`),
  "client data that is null": spelled(() => "null"),
};

const challenges: Record<string, Mutate> = {
  "a random challenge": client({ challenge: random(32) }),
  "a long random challenge": client({ challenge: random(56) }),
  "an empty challenge": client({ challenge: "" }),
  "no challenge": client({ challenge: undefined }),
  "the challenge cut short": challenged((challenge) => challenge.slice(0, -4)),
  "the challenge with more behind it": challenged((challenge) => `${challenge}AAAA`),
  "the challenge in a list": challenged((challenge) => [challenge]),
  "the challenge padded": challenged((challenge) => `${challenge}=`),
  "the challenge with a space": challenged((challenge) => `${challenge} `),
  "the challenge with another last letter": challenged(respelled),
  ...table([0, 15, 16, 20, 23, 31], "the challenge with a changed bit of byte", (at) =>
    challenged((challenge) => flipped(challenge, at)),
  ),
  "a second challenge behind": behind(`"challenge":"${random(32)}"`),
  "a second challenge before": before(`"challenge":"${random(32)}"`),
  "a second challenge, its name escaped": behind(`"\\u0063hallenge":"${random(32)}"`),
  "the right challenge twice": ({ challenge }, ...others) =>
    behind(`"challenge":"${challenge}"`)({ challenge }, ...others),
};

const authenticatorData: Record<string, Mutate> = {
  ...table(["evil.example", "LOCALHOST", host, issuer, `sub.${host}`, ""], "rpId", (rpId) => () => ({
    edits: { rpId },
  })),
  "nobody present": flagged({ up: false }),
  "nobody present and nobody verified": flagged({ up: false, uv: false }),
  "a key that may no longer be backed up": flagged({ be: false, bs: false }),
  "a backup without permission": flagged({ be: false, bs: true }),
  "attested data announced and not there": flagged({ at: true }),
  "attested data, as in a registration": (_, own) => {
    const id = base64url.decode(own.id);
    const attested = [...new Uint8Array(16), 0, id.length, ...id, ...own.publicKey];
    return { edits: { flags: { at: true }, authenticatorData: (bytes) => append(bytes, ...attested) } };
  },
  "extensions announced and not there": flagged({ ed: true }),
  "authenticator data cut short": data(cut),
  "authenticator data with more behind it": data((bytes) => append(bytes, 0)),
  "the rpId hash with a changed bit": data(flip(0)),
};

const signatures: Record<string, Mutate> = {
  "a signature with a changed bit": () => ({ edits: badSignature }),
  "a signature cut short": signature(cut),
  "a signature with more behind it": signature((bytes) => append(bytes, 0)),
  "a signature of zeros": signature(() => Uint8Array.of(0x30, 6, 2, 1, 0, 2, 1, 0)),
  "a signature of 64 bare bytes": signature(() => new Uint8Array(randomBytes(64))),
  "a long signature": signature(() => new Uint8Array(randomBytes(4_000))),
  "the signature of somebody else's key": (_, own, other) => ({
    edits: { credential: { ...own, sign: (bytes) => other.sign(bytes) } },
  }),
  "client data that was not signed": () => ({
    change: (answer) => {
      const signed = new TextDecoder().decode(base64url.decode(answer.response.clientDataJSON));
      return { ...answer, response: { ...answer.response, clientDataJSON: base64url.encode(`${signed} `) } };
    },
  }),
  "authenticator data that was not signed": () => ({
    change: (answer) => ({
      ...answer,
      response: { ...answer.response, authenticatorData: flipped(answer.response.authenticatorData, 36) },
    }),
  }),
};

const credentials: Record<string, Mutate> = {
  "a credential nobody has": () => named(random(32)),
  "somebody else's credential, signed with the own key": (_, __, other) => named(other.id),
  "somebody else's credential, signed with its key": (_, own, other) => ({
    edits: { credential: other, userHandle: own.userHandle },
  }),
  "an id that is not the raw id": (_, __, other) => ({ change: (answer) => ({ ...answer, id: other.id }) }),
  "a raw id that is not the id": (_, __, other) => ({ change: (answer) => ({ ...answer, rawId: other.id }) }),
  "somebody else's user handle": handle((_, other) => other),
  "a made-up user handle": handle((own) => random(own.length)),
  "a short user handle": handle(() => random(16)),
  "a long user handle": handle(() => random(64)),
  "the user handle cut short": handle(cut),
  "the user handle with more behind it": handle((own) => append(own, 0)),
  "the user handle with its first bits changed": handle(flip(0)),
  "the user handle with its last bit changed": handle((own) => flip(own.length - 1)(own)),
};

/** Everything that makes an assertion wrong at either door, by what is wrong with it. */
export const mutations: Record<string, Mutate> = {
  ...signatures,
  ...clientData,
  ...challenges,
  ...authenticatorData,
  ...credentials,
};
