import * as v from "valibot";
import { BOT_CHECK_TOKEN_MAX } from "../edge-policy.ts";
import { comparablePassword, comparableRecoveryCode, isEmailAddress } from "../flows/typed-credentials.ts";
import { BODY_MAX_BYTES, FACTOR_LABEL_MAX, PASSKEY_BODY_MAX_BYTES } from "../policy.ts";
import { TOKEN_MAX_LENGTH } from "../token-policy.ts";

const text = v.pipe(
  v.string(),
  v.check((value) => value.isWellFormed(), "must be well-formed Unicode"),
);

const email = v.pipe(text, v.check(isEmailAddress, "must be an email address"));

/** A password that is compared. What could not have been set is malformed, and never reaches a hash. */
const password = v.pipe(
  text,
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const comparable = comparablePassword(dataset.value);
    if (comparable !== undefined) return comparable;
    addIssue({ message: "is longer than any password here" });
    return NEVER;
  }),
);

const token = v.pipe(text, v.maxLength(TOKEN_MAX_LENGTH, "is too long"));
/** A sealed link carries an address and a hash, so it is longer than any other token. */
const linkToken = v.pipe(text, v.maxLength(BODY_MAX_BYTES));
const botCheckToken = v.pipe(
  text,
  v.minLength(1, "must not be empty"),
  v.maxLength(BOT_CHECK_TOKEN_MAX, "is too long"),
);
const uuid = v.pipe(text, v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "must be an id"));

/** Six ASCII digits; one space inside is how apps show them and is forgiven, nothing else. */
const totpCode = v.pipe(
  text,
  v.regex(/^[0-9]{6}$|^(?=.{7}$)[0-9]+ [0-9]+$/, "must be six digits"),
  v.transform((code) => code.replace(" ", "")),
);

const recoveryCode = v.pipe(
  text,
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const comparable = comparableRecoveryCode(dataset.value);
    if (comparable !== undefined) return comparable;
    addIssue({ message: "must be 24 letters and digits, as they were shown" });
    return NEVER;
  }),
);

/** A part of a WebAuthn response. That it is base64url, and of what, is for the factor to say. */
const part = v.pipe(text, v.maxLength(PASSKEY_BODY_MAX_BYTES));

/**
 * `PublicKeyCredential.toJSON()` (WebAuthn §5.1). The format is the W3C's and grows, so members that nobody here reads
 * are passed over.
 */
const credential = { id: part, rawId: part, type: v.literal("public-key") };
const assertion = v.object({
  ...credential,
  response: v.object({
    clientDataJSON: part,
    authenticatorData: part,
    signature: part,
    userHandle: v.optional(v.nullable(part)),
  }),
});
const registration = v.object({
  ...credential,
  response: v.object({
    clientDataJSON: part,
    attestationObject: part,
    transports: v.optional(v.pipe(v.array(v.pipe(text, v.maxLength(32))), v.maxLength(16)), []),
  }),
});

const label = v.pipe(
  text,
  v.minLength(1, "must not be empty"),
  v.maxLength(FACTOR_LABEL_MAX, `must have at most ${FACTOR_LABEL_MAX} characters`),
  v.regex(/^[^\p{Cc}\p{Bidi_Control}]*$/u, "must not hold control characters"),
);

/** What a sign-in may ask for. */
const asked = {
  audience: v.optional(text),
  remember: v.optional(v.boolean(), false),
  token_delivery: v.optional(v.literal("body")),
};

// The policy says more precisely what is wrong with a new password than a schema could.
export const Registration = v.strictObject({ email, password: v.string() });
export const InvitationAcceptance = v.strictObject({ token: linkToken, password: v.string() });
export const EmailVerification = v.strictObject({ token: linkToken, password });
export const PasswordSignIn = v.strictObject({
  email,
  password,
  ...asked,
  proof: v.optional(
    v.variant("kind", [
      v.strictObject({ kind: v.literal("mail_link"), token: linkToken }),
      v.strictObject({ kind: v.literal("turnstile"), token: botCheckToken }),
    ]),
  ),
});
export const PasskeySignIn = v.strictObject({
  response: assertion,
  ...asked,
});
export const ProofRequest = v.strictObject({ email });
export const ForgottenPassword = v.strictObject({ email });
export const PasswordReset = v.strictObject({ token: linkToken, new_password: v.string() });
export const PasswordChange = v.strictObject({ current_password: password, new_password: v.string() });
export const EmailChange = v.strictObject({ new_email: email });
export const Recovery = v.strictObject({ email, password });
export const MailedLink = v.strictObject({ token: linkToken });
/** By a mailed link, or by whoever is signed in. */
export const RecoveryCancel = v.strictObject({ token: v.optional(linkToken) });
const answered = { challenge_token: token, trust_browser: v.optional(v.boolean(), false) };
export const ChallengeAnswer = v.variant("method", [
  v.strictObject({ ...answered, method: v.literal("totp"), code: totpCode }),
  v.strictObject({ ...answered, method: v.literal("recovery_code"), code: recoveryCode }),
  v.strictObject({ ...answered, method: v.literal("passkey"), response: assertion }),
]);
export const PasskeyChallenge = v.strictObject({ challenge_token: token });
export const StepUp = v.strictObject({ audience: v.optional(text), password: v.optional(password) });
export const Refresh = v.strictObject({ refresh_token: v.optional(token), audience: v.optional(text) });
export const LogOut = v.strictObject({ refresh_token: v.optional(token) });
export const TotpEnrolment = v.strictObject({ label: v.optional(label, "Authenticator app") });
export const PasskeyRegistration = v.strictObject({
  label: v.optional(label, "Passkey"),
  response: registration,
});
export const FactorLabel = v.strictObject({ label });
export const Nothing = v.strictObject({});
export const TotpConfirmation = v.strictObject({ factor_id: uuid, code: totpCode });
