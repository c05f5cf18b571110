import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ChallengeAnswer,
  FactorLabel,
  InvitationAcceptance,
  Nothing,
  PasskeyChallenge,
  PasskeyRegistration,
  PasswordSignIn,
  ProofRequest,
  StepUp,
  TotpConfirmation,
  TotpEnrolment,
} from "../../../src/http/schemas.ts";
import { ASSERTION, REGISTRATION, read } from "../support/bodies.ts";

const TOKEN = { challenge_token: "aaa.bbb.ccc" };
const CODE = "0123-4567-89AB-CDEF-GHJK-MNPQ";
const NORMAL = "0123456789ABCDEFGHJKMNPQ";
const SIGN_IN = { email: "ada@example.com", password: "an ordinary long password" };
const shown = (password: string) => ({ normalized: password, typed: password });

const totp = (code: unknown) => read(ChallengeAnswer, { ...TOKEN, method: "totp", code });
const recovery = (code: unknown) => read(ChallengeAnswer, { ...TOKEN, method: "recovery_code", code });

describe("an answer to a challenge", () => {
  it.each([
    [{ method: "totp", code: "123456" }],
    [{ method: "recovery_code", code: NORMAL }],
    [{ method: "passkey", response: ASSERTION }],
  ])("has one of three forms: %j", (answer) => {
    expect(read(ChallengeAnswer, { ...TOKEN, ...answer })).toEqual({ ...TOKEN, ...answer, trust_browser: false });
    const trusting = { ...TOKEN, ...answer, trust_browser: true };
    expect(read(ChallengeAnswer, trusting)).toEqual(trusting);
  });

  it.each([
    ["no method", { code: "123456" }],
    ["a method that nobody has", { method: "sms", code: "123456" }],
    ["a method in capitals", { method: "TOTP", code: "123456" }],
    ["a list of methods", { method: ["totp"], code: "123456" }],
    ["a method that every object knows", { method: "__proto__", code: "123456" }],
    ["a code for a passkey", { method: "passkey", code: "123456" }],
    ["an assertion for a code", { method: "totp", response: ASSERTION }],
    ["a code and an assertion", { method: "totp", code: "123456", response: ASSERTION }],
    ["an assertion and a code", { method: "passkey", response: ASSERTION, code: "123456" }],
    ["a recovery code as a code", { method: "totp", code: CODE }],
    ["a code as a recovery code", { method: "recovery_code", code: "123456" }],
    ["no code", { method: "totp" }],
    ["no recovery code", { method: "recovery_code" }],
    ["no response", { method: "passkey" }],
    ["a member that nobody knows", { method: "totp", code: "123456", remember: true }],
    ["trust in words", { method: "totp", code: "123456", trust_browser: "true" }],
    ["trust in figures", { method: "totp", code: "123456", trust_browser: 1 }],
    ["trust that is null", { method: "totp", code: "123456", trust_browser: null }],
    ["a token that is no text", { method: "totp", code: "123456", challenge_token: 1 }],
    ["a token that is too long", { method: "totp", code: "123456", challenge_token: "a".repeat(4097) }],
    ["a token of half a character", { method: "totp", code: "123456", challenge_token: "\ud800" }],
  ])("is refused with %s", (_, answer) => {
    expect(read(ChallengeAnswer, { ...TOKEN, ...answer })).toBeUndefined();
  });

  it("is refused without a token", () => {
    expect(read(ChallengeAnswer, { method: "totp", code: "123456" })).toBeUndefined();
    expect(read(PasskeyChallenge, {})).toBeUndefined();
    expect(read(PasskeyChallenge, TOKEN)).toEqual(TOKEN);
    expect(read(PasskeyChallenge, { ...TOKEN, method: "passkey" })).toBeUndefined();
  });
});

describe("a code from an authenticator", () => {
  it.each([
    ["123456", "123456"],
    ["000000", "000000"],
    ["123 456", "123456"],
    ["1 23456", "123456"],
    ["12345 6", "123456"],
  ])("%j is read as %s", (typed, code) => {
    expect(totp(typed)).toMatchObject({ code });
  });

  it.each([
    ...[
      "",
      "12345",
      "1234567",
      " 123456",
      "123456 ",
      "12 34 56",
      "123  456",
      "123456\n",
      "\n123456",
      "123 4567",
      "1234 5678",
      "123\t456",
    ],
    ...["123\u00a0456", "123-456", "12345a", "12e4", "0x1234", "+12345", "-12345", "1.2345", "１２３４５６", "١٢٣٤٥٦"],
    ...[123456, 0, null, undefined, true, ["123456"], { code: "123456" }],
  ])("%j is refused", (typed) => {
    expect(totp(typed)).toBeUndefined();
  });
});

describe("a recovery code", () => {
  it.each([
    ["as it is shown", CODE],
    ["without groups", NORMAL],
    ["in lower case", CODE.toLowerCase()],
    ["with spaces", CODE.replaceAll("-", " ")],
    ["with a tab and no-break spaces", "0123\t4567\u00a089AB\u00a0CDEF GHJK MNPQ"],
    ["with every hyphen and dash there is", "0123\u20104567\u201189AB\u2012CDEF\u2013GHJK\u2014MNPQ\u2015"],
    ["with minus signs", CODE.replaceAll("-", "\u2212")],
    ["with O, I and L for figures", "OI23-4567-89AB-CDEF-GHJK-MNPQ"],
    ["with small ones of them", "ol23-4567-89AB-CDEF-GHJK-MNPQ"],
  ])("is understood %s", (_, typed) => {
    expect(recovery(typed)).toMatchObject({ code: NORMAL });
  });

  it.each([
    ["nothing", ""],
    ["a character too few", CODE.slice(1)],
    ["a character too many", `${CODE}0`],
    ["a letter that is not in the alphabet", `U${CODE.slice(1)}`],
    ["a line break", `${CODE}\n`],
    ["an underscore", CODE.replace("-", "_")],
    ["full-width figures", `０${CODE.slice(1)}`],
    ["more separators than a code can have", CODE + "-".repeat(256)],
    ["a number", 12345],
    ["a list", [CODE]],
    ["null", null],
  ])("is refused with %s, before any account pays for it", (_, typed) => {
    expect(recovery(typed)).toBeUndefined();
  });

  it("is what is left of it once it is normal", () => {
    const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const codes = fc.array(fc.constantFrom(...alphabet), { minLength: 24, maxLength: 24 });
    fc.assert(
      fc.property(codes, (characters) => {
        const code = characters.join("");
        expect(recovery(code.toLowerCase().replace(/(.{4})(?=.)/g, "$1-"))).toMatchObject({ code });
      }),
    );
  });
});

describe("a sign-in by password", () => {
  const proof = { kind: "mail_link", token: "token" };

  it("may bring a mailed proof", () => {
    const signIn = { email: SIGN_IN.email, password: shown(SIGN_IN.password), remember: false };
    expect(read(PasswordSignIn, SIGN_IN)).toEqual(signIn);
    expect(read(PasswordSignIn, { ...SIGN_IN, proof })).toEqual({ ...signIn, proof });
  });

  it("may bring what a bot check has given", () => {
    const check = { kind: "turnstile", token: "a".repeat(2_048) };
    expect(read(PasswordSignIn, { ...SIGN_IN, proof: check })).toMatchObject({ proof: check });
  });

  it("carries the password in its normal form and as it was typed, which imported hashes are made of", () => {
    const typed = "le\u0300tmein ﬁve … times";
    const password = { normalized: "l\u00e8tmein five ... times", typed };
    expect(read(PasswordSignIn, { ...SIGN_IN, password: typed })).toMatchObject({ password });
  });

  it.each([
    ["another kind", { ...proof, kind: "recaptcha" }],
    ["a bot check without a token", { kind: "turnstile" }],
    ["a bot check with an empty token", { kind: "turnstile", token: "" }],
    ["a bot check with a longer token than any", { kind: "turnstile", token: "a".repeat(2_049) }],
    ["no kind", { token: "token" }],
    ["no token", { kind: "mail_link" }],
    ["an empty one", {}],
    ["more than it has", { ...proof, email: SIGN_IN.email }],
    ["a bare token", "token"],
    ["a list", [proof]],
    ["null", null],
    ["a token that is a number", { ...proof, token: 1 }],
    ["a token longer than any body", { ...proof, token: "a".repeat(16 * 1024 + 1) }],
  ])("is refused with a proof of %s", (_, given) => {
    expect(read(PasswordSignIn, { ...SIGN_IN, proof: given })).toBeUndefined();
  });

  it("asks for a proof with an address and nothing else", () => {
    expect(read(ProofRequest, { email: SIGN_IN.email })).toEqual({ email: SIGN_IN.email });
    for (const body of [{}, { email: "ada" }, { email: [SIGN_IN.email] }, SIGN_IN]) {
      expect(read(ProofRequest, body), JSON.stringify(body)).toBeUndefined();
    }
  });
});

describe("the name of a factor", () => {
  it.each(["x", "My phone", "Telefon für zu Hause", "📱", "x".repeat(64)])("can be %j", (label) => {
    expect(read(FactorLabel, { label })).toEqual({ label });
    expect(read(TotpEnrolment, { label })).toEqual({ label });
    expect(read(PasskeyRegistration, { label, response: REGISTRATION })).toMatchObject({ label });
  });

  it.each([
    "",
    "x".repeat(65),
    "a\nb",
    "a\tb",
    "a\u0000b",
    "a\u007fb",
    "a\u202eb",
    "a\u2066b",
    "a\u200fb",
    "\udc00",
    1,
    null,
  ])("cannot be %j", (label) => {
    expect(read(FactorLabel, { label })).toBeUndefined();
    expect(read(TotpEnrolment, { label })).toBeUndefined();
    expect(read(PasskeyRegistration, { label, response: REGISTRATION })).toBeUndefined();
  });

  it("is there where none was given, but not where one is to be changed", () => {
    expect(read(TotpEnrolment, {})).toEqual({ label: "Authenticator app" });
    expect(read(PasskeyRegistration, { response: REGISTRATION })).toMatchObject({ label: "Passkey" });
    expect(read(FactorLabel, {})).toBeUndefined();
  });
});

describe("what else the second door takes", () => {
  it("is exactly what it names", () => {
    const factor_id = "1d9a2f0e-0000-4000-8000-000000000001";
    expect(read(TotpConfirmation, { factor_id, code: "123 456" })).toEqual({ factor_id, code: "123456" });
    expect(read(TotpConfirmation, { factor_id: "f1", code: "123456" })).toBeUndefined();
    expect(read(StepUp, {})).toEqual({});
    expect(read(StepUp, { password: SIGN_IN.password })).toEqual({ password: shown(SIGN_IN.password) });
    expect(read(StepUp, { email: SIGN_IN.email })).toBeUndefined();
    expect(read(Nothing, {})).toEqual({});
    expect(read(Nothing, { label: "x" })).toBeUndefined();
  });
});

describe("an invitation that is accepted", () => {
  const TOKEN_AND_PASSWORD = { token: "A".repeat(400), password: "correct horse battery" };

  it("is a link and a password, whose weakness is for the policy to name", () => {
    expect(read(InvitationAcceptance, TOKEN_AND_PASSWORD)).toEqual(TOKEN_AND_PASSWORD);
    for (const password of ["", "short", "a\ud800b", "x".repeat(5_000)]) {
      expect(read(InvitationAcceptance, { ...TOKEN_AND_PASSWORD, password })).toBeDefined();
    }
  });

  it.each([
    ["no token", { password: "x" }],
    ["no password", { token: "A" }],
    ["a list for a token", { ...TOKEN_AND_PASSWORD, token: ["A"] }],
    ["a token of half a character", { ...TOKEN_AND_PASSWORD, token: "\ud800" }],
    ["an address of its own", { ...TOKEN_AND_PASSWORD, email: "eve@evil.example" }],
    ["roles", { ...TOKEN_AND_PASSWORD, roles: ["admin"] }],
  ])("is refused with %s", (_, body) => {
    expect(read(InvitationAcceptance, body)).toBeUndefined();
  });
});
