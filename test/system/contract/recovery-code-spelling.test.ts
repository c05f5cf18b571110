import { beforeAll, describe, expect, it } from "vitest";
import { challenged, expectProblem, post } from "../../support/client.ts";
import {
  type CoveredPerson,
  codesOf,
  coveredPerson,
  recover,
  regenerate,
  spare,
  wrongRecoveryCode,
} from "../../support/recovery-client.ts";

const compact = (code: string) => code.replaceAll("-", "");
const opened = async (person: CoveredPerson, code: unknown) => recover(await challenged(person), code);

describe("the spelling of a recovery code", () => {
  let person: CoveredPerson;
  beforeAll(async () => {
    person = await coveredPerson();
  });

  it.each<[string, (code: string) => string]>([
    ["as it was shown", (code) => code],
    ["in lower case", (code) => code.toLowerCase()],
    ["without separators", compact],
    ["with spaces between and around", (code) => ` ${code.replaceAll("-", "  ")} `],
    ["with a space after every character", (code) => [...compact(code)].join(" ")],
    ["with tabs", (code) => `\t${code.replaceAll("-", "\t")}`],
    ["with no-break spaces", (code) => code.replaceAll("-", "\u00a0")],
    ["with the dashes U+2010 to U+2014", (code) => separated(code, "\u2010\u2011\u2012\u2013\u2014")],
    ["with the bar U+2015 and the minus U+2212", (code) => separated(code, "\u2015\u2212\u2015\u2212-")],
    ["with hyphens in odd places", (code) => `-${compact(code).replace(/(.{5})/g, "$1--")}-`],
  ])("may be %s", async (_, spelled) => {
    const answer = await opened(person, spelled(spare(person)));
    expect(answer.body.status, answer.text).toBe("authenticated");
  });

  it("may have an O for a zero, and an I or an L for a one, in either case", async () => {
    const reader = await coveredPerson();
    for (const code of await misreadCodes(reader)) {
      const answer = await opened(reader, code);
      expect({ code, status: answer.body.status }).toEqual({ code, status: "authenticated" });
    }
  });

  it("may not be anything else: it is malformed and spends neither an attempt nor the code", async () => {
    const owner = await coveredPerson();
    const [code, challenge] = [spare(owner), await challenged(owner)];
    for (const malformed of malformedSpellings(code)) {
      const answer = await recover(challenge, malformed);
      expect({ malformed, status: answer.status, problem: answer.body.code }).toEqual({
        malformed,
        status: 400,
        problem: "invalid_request",
      });
    }
    const method = "recovery_code";
    for (const body of [{ method }, { method, response: {} }, { method: "totp", code }, { method, code, kind: "x" }]) {
      expectProblem(await post("/auth/2fa/verify", { challenge_token: challenge, ...body }), 400, "invalid_request");
    }
    expect((await recover(challenge, wrongRecoveryCode())).body.attempts_remaining).toBe(4);
    expect((await recover(challenge, code)).body.status).toBe("authenticated");
  });
});

/** The groups of a code with these five characters between them. */
function separated(code: string, separators: string): string {
  const between = ["", ...separators];
  return code
    .split("-")
    .map((group, i) => `${between[i]}${group}`)
    .join("");
}

/** One right code for each letter that people write for a digit; new sets until the digits are there. */
async function misreadCodes(person: CoveredPerson): Promise<string[]> {
  const letters = { O: "0", o: "0", I: "1", i: "1", L: "1", l: "1" };
  for (let tries = 0; tries < 50; tries++) {
    const codes = codesOf(await regenerate(person.session.access));
    const misread = Object.entries(letters).flatMap(([letter, digit]) => {
      const at = codes.findIndex((code) => code.includes(digit));
      return codes.splice(at, at === -1 ? 0 : 1).map((code) => code.replaceAll(digit, letter));
    });
    if (misread.length === 6) return misread;
  }
  throw new Error("fifty sets of codes had too few zeros and ones");
}

/** What is not 24 of the alphabet once the forgiven is forgiven; none of it may be "repaired" into the right code. */
function malformedSpellings(code: string): unknown[] {
  const bare = compact(code);
  const rest = bare.slice(1);
  const unforgiven =
    "\n\r\u0000_./,~+:;|\u00ad\u00b7\u2002\u2009\u200b\u200d\u202f\u2016\u2043\u205f\u3000\ufe58\ufe63\uff0d\ufeff";
  const strangers = "U%_*?$\u0131\u017f\u212a\u00df\ufb00\u039f\u041e\u0406\uff21\uff10\u0660é🚪";
  const fullWidth = [...bare].map((sign) => String.fromCodePoint((sign.codePointAt(0) ?? 0) + 0xfee0)).join("");
  return [
    bare.slice(1),
    bare.slice(0, 23),
    `${bare}0`,
    `0${bare}`,
    bare + bare,
    "",
    "-----",
    "      ",
    "123456",
    "undefined",
    "%",
    fullWidth,
    bare.replace(/^./, "\ud83d"),
    ...[...unforgiven].flatMap((sign) => [code.replaceAll("-", sign), `${code}${sign}`]),
    ...[...strangers].map((sign) => sign + rest),
    { $ne: "" },
    { code },
    [code],
    ["a", "b"],
    true,
    1,
    null,
  ];
}
