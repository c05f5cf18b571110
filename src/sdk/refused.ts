/** Why an access token was refused. Stable names: a service may count them, and must not tell them to who sent the token. */
export type TokenDefect =
  /** No compact JWS of ES256 in its one spelling, too long, or not strictly JSON. */
  | "malformed"
  /** Another algorithm, another type, no key id, or a header that says more than those three. */
  | "unsupported_header"
  /** Signed with a key that the issuer does not publish. */
  | "unknown_key"
  | "bad_signature"
  /** A required claim is missing, or a claim is of another type or out of bounds. */
  | "invalid_claims"
  | "wrong_issuer"
  | "wrong_audience"
  | "expired"
  | "not_yet_valid"
  /** Its session has ended, or it was issued before an emergency drop. */
  | "revoked"
  /** It is bound to a key and came without a proof of that key. */
  | "proof_missing"
  /** It is bound to a key and the proof is wrong, or of another key. */
  | "invalid_proof"
  /** Its proof is good, and was shown before. */
  | "replayed_proof";

const MESSAGES: Record<TokenDefect, string> = {
  malformed: "the token is no compact JWS of ES256",
  unsupported_header: "the header is not that of an access token",
  unknown_key: "the key of the token is not one of the issuer's",
  bad_signature: "the signature does not fit",
  invalid_claims: "a claim is missing or has the wrong form",
  wrong_issuer: "the token is of another issuer",
  wrong_audience: "the token is for another audience",
  expired: "the token has expired",
  not_yet_valid: "the token is from the future",
  revoked: "the session of the token has ended",
  proof_missing: "the token is bound to a key, and no proof came with it",
  invalid_proof: "the proof is not one of the token's key for this request",
  replayed_proof: "the proof was shown before",
};

/** A token that must not be trusted: 401. Its message is for logs, and holds nothing of the token. */
export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
  readonly code: TokenDefect;

  constructor(code: TokenDefect) {
    super(MESSAGES[code]);
    this.code = code;
  }
}

/**
 * The issuer's keys, or its list of ended sessions where the service insists on it, cannot be had: whether a token is
 * good is not known. That is 503, never 401, which would sign people out, and never a pass.
 */
export class KeysUnavailable extends Error {
  override readonly name = "KeysUnavailable";
}
