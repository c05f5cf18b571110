import { timingSafeEqual } from "node:crypto";
import { decodeCanonical } from "../keys/seal.ts";
import { PASSKEY_CHALLENGE_TTL_MS, PASSKEY_REGISTRATION_TTL_MS } from "../policy.ts";
import { parseStrictJson } from "../strict-json.ts";
import { algorithmOf, type CoseKey, ES256, isOfferedKey, isWellSpelled, RS256 } from "./cose-key.ts";

/**
 * Passkeys and security keys (WebAuthn Level 3, §7.1 and §7.2). `@simplewebauthn/server` verifies; what it lets pass and
 * the standard does not is refused here. Binary values are base64url, in their one canonical spelling.
 */

/** WebAuthn §7.1. */
const CREDENTIAL_ID_MAX_BYTES = 1023;
/** Characters of one part of a response. The largest honest one, with the longest id and two RSA-4096 values, has 3,000. */
const PART_MAX_LENGTH = 4096;
/** How browsers say that they reach an authenticator (WebAuthn §5.8.4), and one name from before it was settled. */
const TRANSPORTS = ["ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"];
/** Offset and one bit of the flags (WebAuthn §6.1): attested credential data, which no assertion may carry. */
const FLAGS_AT = 32;
const ATTESTED_DATA = 0x40;

/** For whom passkeys are made (WebAuthn §5.4.2), and whose pages may use them. */
export interface RelyingParty {
  id: string;
  origins: readonly string[];
}

/** A passkey's public half. `publicKey` is a COSE key. */
export interface Credential {
  id: string;
  publicKey: string;
  signCount: number;
  transports: string[];
  /** It may be copied to other devices (BE). Never changes. */
  backupEligible: boolean;
  /** Whether it verified its user when it was made (`uvInitialized`, WebAuthn §4). */
  userVerified: boolean;
}

/** What an assertion proved. Whether the count may follow is for the store of the last one to say: {@link mayFollow}. */
export interface Assertion {
  signCount: number;
  userVerified: boolean;
}

interface PublicKeyCredential<Response> {
  id: string;
  rawId: string;
  type: string;
  response: Response;
}

/** As much as is read of `RegistrationResponseJSON` and `AuthenticationResponseJSON` (WebAuthn §5.1). */
export type RegistrationResponse = PublicKeyCredential<{
  clientDataJSON: string;
  attestationObject: string;
  transports?: string[] | undefined;
}>;
export type AssertionResponse = PublicKeyCredential<{
  clientDataJSON: string;
  authenticatorData: string;
  signature: string;
  userHandle?: string | null | undefined;
}>;

/** `PublicKeyCredentialCreationOptionsJSON` for a new passkey of this account. `known` are those it has. */
export function creationOptions(
  rp: { id: string; name: string },
  challenge: string,
  user: { handle: string; email: string },
  known: Credential[],
) {
  return {
    rp: { id: rp.id, name: rp.name },
    user: { id: user.handle, name: user.email, displayName: user.email },
    challenge,
    pubKeyCredParams: [ES256, RS256].map((alg) => ({ type: "public-key" as const, alg })),
    timeout: PASSKEY_REGISTRATION_TTL_MS,
    attestation: "none" as const,
    excludeCredentials: known.map(descriptorOf),
    authenticatorSelection: {
      // Preferred and not required: a hardware key without room for one more is still a good second factor.
      residentKey: "preferred" as const,
      requireResidentKey: false,
      userVerification: "preferred" as const,
    },
  };
}

/** `PublicKeyCredentialRequestOptionsJSON`. Without `allowed` any discoverable passkey of this relying party may answer. */
export function requestOptions(
  rp: { id: string },
  challenge: string,
  userVerification: "required" | "preferred",
  allowed?: Credential[],
) {
  const allowCredentials = allowed?.map(descriptorOf);
  const options = { challenge, rpId: rp.id, timeout: PASSKEY_CHALLENGE_TTL_MS, userVerification };
  return allowCredentials ? { ...options, allowCredentials } : options;
}

/**
 * The challenge that a response names, before anything about it is believed: one that authenticates itself is checked
 * before any object is woken. `undefined` for client data that no browser sends, or one with our pages in a frame.
 */
export function clientChallenge({ response }: { response: { clientDataJSON: string } }): string | undefined {
  const text = decodeText(response.clientDataJSON);
  const json = text === undefined ? undefined : parseStrictJson(text);
  if (typeof json !== "object" || typeof json.value !== "object" || json.value === null) return undefined;
  const { challenge, crossOrigin, topOrigin } = json.value as Record<string, unknown>;
  // Nobody has a reason to show our pages in a frame: a passkey asked for in one is somebody else's doing.
  if ((crossOrigin !== undefined && crossOrigin !== false) || topOrigin !== undefined) return undefined;
  return typeof challenge === "string" && decodeCanonical(challenge) ? challenge : undefined;
}

/**
 * Verifies a registration (WebAuthn §7.1); `undefined` for every reason to refuse it. `challenge` is the one that was
 * sent. That no account knows the credential id yet is for the store of all of them to say.
 */
export async function verifyRegistration(
  rp: RelyingParty,
  challenge: string,
  response: RegistrationResponse,
): Promise<Credential | undefined> {
  const { clientDataJSON, attestationObject, transports = [] } = response.response;
  const [id, bytes] = [decodePart(response.id), decodePart(attestationObject)];
  if (!id || id.length > CREDENTIAL_ID_MAX_BYTES || !bytes) return undefined;
  if (clientChallenge(response) !== challenge) return undefined;
  const { verifyRegistrationResponse, parseAuthenticatorData, isoCBOR, isoBase64URL } = await library();
  try {
    const attestation = isoCBOR.decodeFirst<AttestationObject>(bytes);
    // What cannot be written again byte for byte has bytes behind it, or numbers longer than they need be.
    if (isoBase64URL.fromBuffer(isoCBOR.encode(attestation)) !== attestationObject) return undefined;
    const { credentialPublicKey } = parseAuthenticatorData(attestation.get("authData") as Bytes);
    const key = isoCBOR.decodeFirst<CoseKey>(credentialPublicKey ?? new Uint8Array());
    if (!isUnattested(attestation, key) || !(await isOfferedKey(key, isoBase64URL.fromBuffer))) return undefined;
    const { registrationInfo } = await verifyRegistrationResponse({
      ...expected(rp, challenge),
      response: { ...envelope(response), response: { clientDataJSON, attestationObject } },
      supportedAlgorithmIDs: [ES256, RS256],
      requireUserVerification: false,
    });
    if (registrationInfo?.credential.id !== response.id) return undefined;
    return {
      id: response.id,
      publicKey: isoBase64URL.fromBuffer(registrationInfo.credential.publicKey),
      signCount: registrationInfo.credential.counter,
      transports: TRANSPORTS.filter((transport) => transports.includes(transport)),
      backupEligible: registrationInfo.credentialDeviceType === "multiDevice",
      userVerified: registrationInfo.userVerified,
    };
  } catch {
    return undefined;
  }
}

/**
 * Verifies an assertion (WebAuthn §7.2) by this credential of the account with this handle; `undefined` for every reason
 * to refuse it. `challenge` is the one that was sent. The signature counter is only read: {@link mayFollow}.
 */
export async function verifyAssertion(
  rp: RelyingParty,
  challenge: string,
  credential: Credential,
  response: AssertionResponse,
  { requireUserVerification, userHandle }: { requireUserVerification: boolean; userHandle: string },
): Promise<Assertion | undefined> {
  const { clientDataJSON, authenticatorData, signature } = response.response;
  const [data, signed] = [decodePart(authenticatorData), decodePart(signature)];
  if (response.id !== credential.id || !isOwnHandle(response.response.userHandle, userHandle)) return undefined;
  if (!data || !signed || clientChallenge(response) !== challenge) return undefined;
  if (((data[FLAGS_AT] ?? 0) & ATTESTED_DATA) !== 0) return undefined;
  const { verifyAuthenticationResponse, isoCBOR, isoBase64URL } = await library();
  try {
    const publicKey = isoBase64URL.toBuffer(credential.publicKey);
    if (!isWellSpelled(signed, algorithmOf(isoCBOR.decodeFirst<CoseKey>(publicKey)))) return undefined;
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      ...expected(rp, challenge),
      response: { ...envelope(response), response: { clientDataJSON, authenticatorData, signature } },
      // Any count may follow zero. A fall found here would look like a forgery; who keeps the last count knows better.
      credential: { id: credential.id, publicKey, counter: 0 },
      requireUserVerification,
    });
    const backupEligible = authenticationInfo.credentialDeviceType === "multiDevice";
    if (!verified || backupEligible !== credential.backupEligible) return undefined;
    return { signCount: authenticationInfo.newCounter, userVerified: authenticationInfo.userVerified };
  } catch {
    return undefined;
  }
}

/**
 * Whether a signature counter may follow the stored one (WebAuthn §7.2 step 22): it rises, unless both are zero, as with
 * authenticators that do not count. If it did not, somebody may have a copy of the passkey.
 */
export function mayFollow(stored: number, presented: number): boolean {
  return presented > stored || (presented === 0 && stored === 0);
}

type Bytes = Uint8Array<ArrayBuffer>;
/** As it claims to be; what is read of it is looked at first. */
type AttestationObject = Map<string, string | Bytes | Map<string, number | Bytes>>;

/**
 * Whether a statement says nothing about the make of the authenticator: "none", as we ask, or the new key's own
 * signature, which browsers hand on even then (WebAuthn §5.1.3). Others name certificates that we have no roots
 * for and that lead a verifier to addresses of their choice.
 */
function isUnattested(attestation: AttestationObject, key: CoseKey): boolean {
  const [format, statement] = [attestation.get("fmt"), attestation.get("attStmt")];
  if (!(statement instanceof Map)) return false;
  if (format === "none") return statement.size === 0;
  const signature = statement.get("sig");
  if (format !== "packed" || statement.size !== 2 || !(signature instanceof Uint8Array)) return false;
  return statement.get("alg") === algorithmOf(key) && isWellSpelled(signature, algorithmOf(key));
}

/** An authenticator that keeps no handles sends none; one that does must name the account (WebAuthn §7.2). */
function isOwnHandle(given: string | null | undefined, own: string): boolean {
  if (!given) return true;
  const encoder = new TextEncoder();
  const [left, right] = [encoder.encode(given), encoder.encode(own)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function descriptorOf({ id, transports }: Credential) {
  const descriptor = { type: "public-key" as const, id };
  return transports.length > 0 ? { ...descriptor, transports } : descriptor;
}

function expected({ id, origins }: RelyingParty, challenge: string) {
  return { expectedRPID: id, expectedOrigin: [...origins], expectedChallenge: challenge };
}

/** The library compares `id` with `rawId`, and the type. */
function envelope({ id, rawId, type }: PublicKeyCredential<unknown>) {
  return { id, rawId, type: type as "public-key", clientExtensionResults: {} };
}

/** Bytes of one part of a response; `undefined` for none, too many, or base64url in another spelling. */
function decodePart(text: string): Bytes | undefined {
  return text.length <= PART_MAX_LENGTH ? decodeCanonical(text) : undefined;
}

/** The text of a part, UTF-8 without a byte order mark. */
function decodeText(encoded: string): string | undefined {
  const bytes = decodePart(encoded);
  try {
    return bytes && new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Outside of every `try`: a library that does not load is a fault, and no reason to refuse a passkey. */
async function library() {
  const [verifying, helpers] = await Promise.all([
    import("@simplewebauthn/server"),
    import("@simplewebauthn/server/helpers"),
  ]);
  return { ...verifying, ...helpers };
}
