import {
  type AssertionResponse,
  type Credential,
  creationOptions,
  requestOptions,
  verifyAssertion,
  verifyRegistration,
} from "../../../src/factors/passkey.ts";
import {
  type AssertionJson,
  type AuthenticatorSettings,
  type Edits,
  type RegistrationJson,
  SoftwareAuthenticator,
} from "../../support/software-authenticator.ts";

const base64url = (bytes: Uint8Array | string) => Buffer.from(bytes).toString("base64url");

export const RP = {
  id: "example.com",
  name: "Example",
  origins: ["https://example.com", "https://app.example.com:8443"],
};
export const ORIGIN = "https://example.com";
export const HANDLE = base64url(crypto.getRandomValues(new Uint8Array(49)));
/** One for each ceremony: neither is good for the other. */
export const CHALLENGES = {
  create: base64url(crypto.getRandomValues(new Uint8Array(32))),
  get: base64url(crypto.getRandomValues(new Uint8Array(32))),
};
export const USER = { handle: HANDLE, email: "ada@example.com" };

export interface Enrolled {
  authenticator: SoftwareAuthenticator;
  credential: Credential;
}

export const newAuthenticator = (settings: Partial<AuthenticatorSettings> = {}): SoftwareAuthenticator =>
  new SoftwareAuthenticator({ origin: ORIGIN, ...settings });

/** What an authenticator answers to our creation options. */
export const registrationOf = (authenticator: SoftwareAuthenticator, edits: Edits = {}): Promise<RegistrationJson> =>
  authenticator.register(creationOptions(RP, CHALLENGES.create, USER, []), edits);

/** Ours of a registration: verified, or not. */
export const registered = (response: RegistrationJson): Promise<Credential | undefined> =>
  verifyRegistration(RP, CHALLENGES.create, response);

/** An authenticator and the credential that we would keep of it. */
export async function enrolled(settings: Partial<AuthenticatorSettings> = {}, edits: Edits = {}): Promise<Enrolled> {
  const authenticator = newAuthenticator(settings);
  const credential = await registered(await registrationOf(authenticator, edits));
  if (!credential) throw new Error("the sample is not one");
  return { authenticator, credential };
}

/** What it answers to our request options. */
export const assertionOf = ({ authenticator, credential }: Enrolled, edits: Edits = {}): Promise<AssertionJson> =>
  authenticator.assert(requestOptions(RP, CHALLENGES.get, "preferred", [credential]), edits);

/** Ours of an assertion: verified, or not. */
export const asserted = (
  credential: Credential,
  response: AssertionResponse,
  { requireUserVerification = false, userHandle = HANDLE } = {},
) => verifyAssertion(RP, CHALLENGES.get, credential, response, { requireUserVerification, userHandle });

/** Edits of client data that no ceremony may pass, by what is wrong with them. */
export const WRONG_CLIENT_DATA: [name: string, edits: Edits][] = [
  ["another type", { clientData: { type: "payment.get" } }],
  ["a type in capitals", { clientData: { type: "WEBAUTHN.GET" } }],
  ["no type", { clientData: { type: undefined } }],
  ["another challenge", { clientData: { challenge: base64url("x".repeat(32)) } }],
  ["no challenge", { clientData: { challenge: undefined } }],
  ["an empty challenge", { clientData: { challenge: "" } }],
  ["a number for a challenge", { clientData: { challenge: 0 } }],
  ["no origin", { clientData: { origin: undefined } }],
  ["a list of origins", { clientData: { origin: [ORIGIN] } }],
  ...[
    "http://example.com",
    "https://example.com/",
    "https://example.com:443",
    "https://example.com:8443",
    "https://app.example.com",
    "https://sub.example.com",
    "https://evil-example.com",
    "https://example.com.evil.com",
    "https://EXAMPLE.com",
    "https://example.com ",
    "https://xn--exmple-cua.com",
    "https://ex\u0430mple.com",
    "example.com",
    "null",
    "",
  ].map((origin): [string, Edits] => [`the origin ${JSON.stringify(origin)}`, { clientData: { origin } }]),
  ["a frame of another site", { clientData: { crossOrigin: true } }],
  ["a frame, in words", { clientData: { crossOrigin: "false" } }],
  ["a frame that is null", { clientData: { crossOrigin: null } }],
  ["a frame of another site that is named", { clientData: { crossOrigin: true, topOrigin: "https://evil.example" } }],
  ["our own top origin", { clientData: { crossOrigin: true, topOrigin: ORIGIN } }],
  ["a top origin without a frame", { clientData: { topOrigin: ORIGIN } }],
  ["an empty top origin", { clientData: { topOrigin: "" } }],
  ["a top origin that is null", { clientData: { topOrigin: null } }],
  ["a second challenge in front", { clientDataText: (text) => text.replace("{", '{"challenge":"AAAA",') }],
  ["a second challenge behind", { clientDataText: (text) => text.replace(/}$/, ',"challenge":"AAAA"}') }],
  ["a second origin in front", { clientDataText: (text) => text.replace("{", '{"origin":"https://evil.example",') }],
  ["a second type, escaped", { clientDataText: (text) => text.replace("{", '{"\\u0074ype":"payment.get",') }],
  ["a frame before no frame", { clientDataText: (text) => text.replace("{", '{"crossOrigin":true,') }],
  ["an unknown member twice", { clientDataText: (text) => text.replace("{", '{"x":1,"x":1,') }],
  ["a byte order mark", { clientDataText: (text) => `\ufeff${text}` }],
  ["more behind it", { clientDataText: (text) => `${text}{}` }],
  ["a list around it", { clientDataText: (text) => `[${text}]` }],
  ["nothing but null", { clientDataText: () => "null" }],
  ["no text at all", { clientDataText: () => "" }],
  ["64 members more", { clientData: Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`m${i}`, i])) }],
  ["lists nine deep", { clientDataText: (text) => text.replace("{", `{"x":${"[".repeat(9)}${"]".repeat(9)},`) }],
  ["twenty kilobytes of text", { clientData: { padding: "x".repeat(20_000) } }],
];

/** Edits of client data that change nothing about it. */
export const HARMLESS_CLIENT_DATA: [name: string, edits: Edits][] = [
  [
    "members to come",
    { clientData: { other_keys_can_be_added_here: "do not compare clientDataJSON", extra: { a: [1] } } },
  ],
  ["no word of frames, as from older browsers", { clientData: { crossOrigin: undefined } }],
  ["another order and white space", { clientDataText: (text) => JSON.stringify(JSON.parse(text), undefined, 2) }],
  ["escapes", { clientDataText: (text) => text.replaceAll("/", "\\/") }],
  ["a token binding, which nothing uses any more", { clientData: { tokenBinding: { status: "supported" } } }],
  ["the other origin of ours", { clientData: { origin: "https://app.example.com:8443" } }],
];

/** Spellings of base64url that are not the one canonical one, and that decoders take. */
export const MISSPELT: [name: string, change: (text: string) => string][] = [
  ["padding", (text) => text.padEnd(Math.ceil((text.length + 1) / 4) * 4, "=")],
  ["white space", (text) => `${text.slice(0, 4)} ${text.slice(4)}`],
  ["a line break", (text) => `${text}\n`],
  ["the alphabet of plain base64", (text) => `${text.replaceAll("-", "+").replaceAll("_", "/")}=`],
  ["a stray letter", (text) => `${text}A`],
  ["nothing", () => ""],
];

/** The shortest of three runs, in milliseconds, as `quickest` does for what is not asynchronous. */
export async function quickestOf(work: () => Promise<unknown>): Promise<number> {
  let shortest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3; run += 1) {
    const started = performance.now();
    await work();
    shortest = Math.min(shortest, performance.now() - started);
  }
  return shortest;
}
