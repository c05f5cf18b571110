import { base64url } from "jose";

/**
 * A passkey authenticator and its browser in one, for tests: it answers creation and request options in their JSON form
 * as `PublicKeyCredential.toJSON()` does, and every byte of an answer can be edited before its own key signs it.
 *
 * Written on Web Crypto and not on `nid-webauthn-emulator`: that does not load in workerd, keeps one credential a user,
 * fixes the backup flags, refuses a foreign origin, and signs before anything can be edited. The unit tests use it
 * beside this one, as an authenticator by somebody else.
 */
export class SoftwareAuthenticator {
  readonly credentials: SoftwareCredential[] = [];
  readonly #settings: Required<AuthenticatorSettings>;

  constructor(settings: AuthenticatorSettings) {
    this.#settings = { ...DEFAULTS, rpId: new URL(settings.origin).hostname, ...settings };
  }

  /** Makes a credential (WebAuthn §6.3.2). Throws when the options exclude one that is here, as a browser does. */
  async register(options: CreationOptions, edits: Edits = {}): Promise<RegistrationJson> {
    const excluded = (options.excludeCredentials ?? []).some(({ id }) => this.#find(id));
    if (excluded && !edits.credential) throw new DOMException("the authenticator is registered", "InvalidStateError");
    const { rpId, transports, algorithm } = this.#settings;
    const made = edits.credential ?? (await newCredential(algorithm, options.user.id, edits.credentialId));
    if (!edits.credential) this.credentials.push(made);
    const clientData = collectedClientData("webauthn.create", options.challenge, this.#settings.origin, edits);
    const id = edits.credentialId ?? base64url.decode(made.id);
    const attested = concat(new Uint8Array(16), uint(id.length, 2), id, edits.publicKey ?? made.publicKey);
    const flags = { up: true, ...this.#flags(), at: true, ...edits.flags };
    const plain = concat(await sha256(edits.rpId ?? options.rp.id ?? rpId), flagByte(flags), this.#count(made, edits));
    const authData = edit(concat(plain, attested), edits.authenticatorData);
    const signature = await made.sign(concat(authData, await sha256(clientData)));
    const own = { alg: made.algorithm, sig: edit(signature, edits.signature) };
    const { fmt, attStmt } = edits.attestation ?? { fmt: "none", attStmt: {} };
    const attestation = cbor({ fmt, attStmt: attStmt === "self" ? own : attStmt, authData });
    const response = {
      clientDataJSON: base64url.encode(clientData),
      attestationObject: base64url.encode(edit(attestation, edits.attestationObject)),
      authenticatorData: base64url.encode(authData),
      publicKey: base64url.encode(made.spki),
      publicKeyAlgorithm: made.algorithm,
      transports,
    };
    return { ...common(base64url.encode(id)), response };
  }

  /** Signs in (WebAuthn §6.3.3) with a listed credential, or with the newest one where none is listed. */
  async assert(options: RequestOptions, edits: Edits = {}): Promise<AssertionJson> {
    const listed = options.allowCredentials?.length ? options.allowCredentials : undefined;
    const chosen = listed ? listed.map(({ id }) => this.#find(id)).find(Boolean) : this.credentials.at(-1);
    const credential = edits.credential ?? chosen;
    if (!credential) throw new DOMException("no credential of this list is here", "NotAllowedError");
    const clientData = collectedClientData("webauthn.get", options.challenge, this.#settings.origin, edits);
    const rpIdHash = await sha256(edits.rpId ?? options.rpId ?? this.#settings.rpId);
    const flags = flagByte({ up: true, ...this.#flags(), ...edits.flags });
    const authData = edit(concat(rpIdHash, flags, this.#count(credential, edits)), edits.authenticatorData);
    const signature = await credential.sign(concat(authData, await sha256(clientData)));
    const userHandle = edits.userHandle === undefined ? credential.userHandle : edits.userHandle;
    const response = {
      clientDataJSON: base64url.encode(clientData),
      authenticatorData: base64url.encode(authData),
      signature: base64url.encode(edit(signature, edits.signature)),
      ...(userHandle !== null && this.#settings.discoverable ? { userHandle } : {}),
    };
    return { ...common(credential.id), response };
  }

  #find(id: string): SoftwareCredential | undefined {
    return this.credentials.find((credential) => credential.id === id);
  }

  #flags(): Flags {
    const { userVerified, backupEligible, backedUp } = this.#settings;
    return { uv: userVerified, be: backupEligible, bs: backupEligible && backedUp };
  }

  /** Four bytes of signature counter. A rising one moves with every answer, edited or not. */
  #count(credential: SoftwareCredential, edits: Edits): Uint8Array {
    if (this.#settings.signCount === "rising") credential.signCount += 1;
    const own = this.#settings.signCount === "rising" ? credential.signCount : this.#settings.signCount;
    return uint(edits.signCount ?? own, 4);
  }
}

export interface AuthenticatorSettings {
  origin: string;
  /** Used where the options name none; the host of `origin` if not set. */
  rpId?: string;
  /** COSE algorithm: ES256 (-7), RS256 (-257) or Ed25519 (-8). */
  algorithm?: -7 | -257 | -8;
  /** The flags of an answer. A backed-up key is always one that may be. */
  userVerified?: boolean;
  backupEligible?: boolean;
  backedUp?: boolean;
  /** A number stands still (synced passkeys: 0); `rising` counts every answer of a credential. */
  signCount?: number | "rising";
  transports?: string[];
  /** Whether an assertion carries the user handle. Keys without room for credentials send none. */
  discoverable?: boolean;
}

const DEFAULTS = {
  algorithm: -7,
  userVerified: true,
  backupEligible: true,
  backedUp: true,
  signCount: 0,
  transports: ["internal", "hybrid"],
  discoverable: true,
} as const satisfies Omit<AuthenticatorSettings, "origin"> & { transports: readonly string[] };

/** What to change in one answer. Everything but `signature` and `userHandle` is changed before the key signs. */
export interface Edits {
  /** Members of clientDataJSON to set, or with `undefined` to leave out: `type`, `challenge`, `origin`, `crossOrigin`, … */
  clientData?: Record<string, unknown>;
  /** The text of clientDataJSON, after that: for duplicate members, byte order marks and white space. */
  clientDataText?: (text: string) => string;
  flags?: Flags;
  /** The relying party whose hash is signed. */
  rpId?: string;
  signCount?: number;
  /** The bytes of authenticatorData, after that. */
  authenticatorData?: (bytes: Uint8Array) => Uint8Array;
  signature?: (bytes: Uint8Array) => Uint8Array;
  /** Base64url; `null` sends none. Not signed in WebAuthn. */
  userHandle?: string | null;
  /** The credential to answer with, listed or not, of this authenticator or another. */
  credential?: SoftwareCredential;
  /** Registration only: another id, another COSE key, another statement, and the bytes around them. */
  credentialId?: Uint8Array;
  publicKey?: Uint8Array;
  attestation?: { fmt: string; attStmt: CborValue | "self" };
  attestationObject?: (bytes: Uint8Array) => Uint8Array;
}

/** Bits of the flags byte (WebAuthn §6.1). */
export type Flags = Partial<Record<keyof typeof FLAGS, boolean>>;
const FLAGS = { up: 0x01, uv: 0x04, be: 0x08, bs: 0x10, at: 0x40, ed: 0x80 };

/** A key pair of the authenticator. `publicKey` in COSE form. */
export interface SoftwareCredential {
  id: string;
  algorithm: number;
  publicKey: Uint8Array;
  spki: Uint8Array;
  userHandle: string;
  signCount: number;
  sign(data: Bytes): Promise<Uint8Array>;
}

/** As much of the options as is read here. */
export interface CreationOptions {
  challenge: string;
  rp: { id?: string };
  user: { id: string };
  excludeCredentials?: { id: string }[];
}
export interface RequestOptions {
  challenge: string;
  rpId?: string;
  allowCredentials?: { id: string }[];
}

/** `PublicKeyCredential.toJSON()` (WebAuthn §5.1). */
interface CredentialJson {
  id: string;
  rawId: string;
  type: "public-key";
  authenticatorAttachment: "platform" | "cross-platform";
  clientExtensionResults: Record<string, unknown>;
}
export interface RegistrationJson extends CredentialJson {
  response: {
    clientDataJSON: string;
    attestationObject: string;
    authenticatorData: string;
    publicKey: string;
    publicKeyAlgorithm: number;
    transports: string[];
  };
}
export interface AssertionJson extends CredentialJson {
  response: { clientDataJSON: string; authenticatorData: string; signature: string; userHandle?: string };
}

function common(id: string): CredentialJson {
  const authenticatorAttachment = "platform";
  return { id, rawId: id, type: "public-key", authenticatorAttachment, clientExtensionResults: {} };
}

function collectedClientData(type: string, challenge: string, origin: string, edits: Edits): Bytes {
  const text = JSON.stringify({ type, challenge, origin, crossOrigin: false, ...edits.clientData });
  return new Uint8Array(new TextEncoder().encode(edits.clientDataText?.(text) ?? text));
}

const ALGORITHMS = {
  [-7]: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  [-8]: { name: "Ed25519" },
  [-257]: {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
  },
};

async function newCredential(
  algorithm: -7 | -257 | -8,
  userHandle: string,
  id: Uint8Array = crypto.getRandomValues(new Uint8Array(32)),
): Promise<SoftwareCredential> {
  const parameters = ALGORITHMS[algorithm];
  const pair = (await crypto.subtle.generateKey(parameters, true, ["sign", "verify"])) as CryptoKeyPair;
  const jwk = (await crypto.subtle.exportKey("jwk", pair.publicKey)) as JsonWebKey;
  return {
    id: base64url.encode(id),
    algorithm,
    publicKey: coseKey(algorithm, jwk),
    spki: new Uint8Array((await crypto.subtle.exportKey("spki", pair.publicKey)) as ArrayBuffer),
    userHandle,
    signCount: 0,
    async sign(data: Bytes) {
      const signature = new Uint8Array(await crypto.subtle.sign(parameters, pair.privateKey, data));
      return algorithm === -7 ? derSignature(signature) : signature;
    },
  };
}

/** A COSE_Key (RFC 9053 §7, RFC 8230 §4) in the canonical order of CTAP2. */
function coseKey(algorithm: number, jwk: JsonWebKey): Uint8Array {
  const part = (name: "x" | "y" | "n" | "e") => base64url.decode(jwk[name] ?? "");
  const key = (...entries: [number, CborValue][]) => cbor(new Map<CborKey, CborValue>(entries));
  if (algorithm === -7) return key([1, 2], [3, -7], [-1, 1], [-2, part("x")], [-3, part("y")]);
  if (algorithm === -8) return key([1, 1], [3, -8], [-1, 6], [-2, part("x")]);
  return key([1, 3], [3, -257], [-1, part("n")], [-2, part("e")]);
}

/** An ECDSA signature as authenticators send it: DER of two minimal integers (RFC 3279 §2.2.3). */
export function derSignature(raw: Uint8Array): Uint8Array {
  const integer = (bytes: Uint8Array) => {
    const minimal = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
    const body = (minimal[0] ?? 0) & 0x80 ? concat(Uint8Array.of(0), minimal) : minimal;
    return concat(Uint8Array.of(0x02, body.length), body);
  };
  const body = concat(integer(raw.subarray(0, raw.length / 2)), integer(raw.subarray(raw.length / 2)));
  return concat(Uint8Array.of(0x30, body.length), body);
}

type Bytes = Uint8Array<ArrayBuffer>;
type CborKey = number | string;
/** What {@link cbor} can write. A `Map` for keys that are numbers. */
export type CborValue = CborKey | Uint8Array | CborValue[] | Map<CborKey, CborValue> | { [name: string]: CborValue };

/** CBOR (RFC 8949) with definite lengths in their shortest form, members in the order given. */
export function cbor(value: CborValue): Bytes {
  if (typeof value === "number") return value < 0 ? cborHead(1, -1 - value) : cborHead(0, value);
  if (value instanceof Uint8Array) return concat(cborHead(2, value.length), value);
  if (typeof value === "string") {
    const bytes = new TextEncoder().encode(value);
    return concat(cborHead(3, bytes.length), bytes);
  }
  if (Array.isArray(value)) return concat(cborHead(4, value.length), ...value.map(cbor));
  const members = value instanceof Map ? [...value] : Object.entries(value);
  return concat(cborHead(5, members.length), ...members.flatMap(([key, member]) => [cbor(key), cbor(member)]));
}

function cborHead(major: number, length: number): Bytes {
  if (length < 24) return Uint8Array.of((major << 5) | length);
  if (length < 0x100) return Uint8Array.of((major << 5) | 24, length);
  return concat(Uint8Array.of((major << 5) | 25), uint(length, 2));
}

function flagByte(flags: Flags): Uint8Array {
  const names = Object.keys(FLAGS) as (keyof typeof FLAGS)[];
  return Uint8Array.of(names.reduce((byte, name) => byte | (flags[name] ? FLAGS[name] : 0), 0));
}

/** Big-endian, as everything in authenticator data. */
function uint(value: number, bytes: number): Bytes {
  return Uint8Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** (bytes - 1 - index)) % 256);
}

function edit(bytes: Uint8Array, change?: (bytes: Uint8Array) => Uint8Array): Bytes {
  return new Uint8Array(change?.(bytes) ?? bytes);
}

function concat(...parts: Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function sha256(data: string | Bytes): Promise<Uint8Array> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
