import { describe, expect, it } from "vitest";
import { type Notice, noticeToOwner } from "../../../src/mail/notices.ts";
import { AT, FIREFOX, LINK, NOTICES, OCCASION, TO } from "../support/mails.ts";

const textsOf = (notice: Notice, occasion = OCCASION) => {
  const { subject, text } = noticeToOwner("Acme", TO, notice, occasion, LINK);
  return [subject, ...text.split("\n\n")];
};

describe("a notice to the owner", () => {
  it.each(
    [
      ["A second factor was added to your account at Acme", "The authenticator app “My phone” was added"],
      ["A second factor was added to your account at Acme", "The passkey “My laptop” was added"],
      ["A second factor was removed from your account at Acme", "The authenticator app “My phone” was removed"],
      ["A second factor was removed from your account at Acme", "The passkey “My laptop” was removed"],
      ["The second factor of your account at Acme was turned off", "The password alone now opens it."],
      ["A recovery code of your account at Acme was used", "Codes left: 7."],
      ["The recovery codes of your account at Acme were replaced", "The codes from before no longer work."],
      ["A browser is now trusted by your account at Acme", "Until 2026-03-02 23:59 UTC a browser may sign in"],
      ["The password of your account at Acme was changed", "was changed by somebody who was signed in"],
      ["The password of your account at Acme was reset", "A new password was set for your account at Acme"],
      ["This is now the address of your account at Acme", "your account at Acme uses this address"],
      ["This is the address of your account at Acme again", "A change of the address of your account at Acme"],
      ["Everything of your account at Acme was closed", "this was not me"],
      ["The recovery of your account at Acme was called off", "Its second factors stay as they are."],
      ["All second factors of your account at Acme were removed", "at the end of a recovery that nobody called off"],
      ["All second factors of your account at Acme were removed", "by those who run this service"],
      ["The deletion of your account at Acme was called off", "can be used again"],
      ["A new sign-in to your account at Acme", "from a network that it had not been used from before"],
      ["A new sign-in to your account at Acme", "in a browser that it had not been used in before"],
      ["A new sign-in to your account at Acme", "in a browser and from a network that it had not been used from"],
      ["Somebody knows the password of your account at Acme", "several wrong answers when asked for the second"],
      ["Somebody knows the password of your account at Acme", "no right answer when asked for the second factor"],
      ["A session of your account at Acme was ended", "was used a second time"],
      ["A passkey of your account at Acme may have been copied", "its counter was behind"],
    ].map((texts, index) => [index, ...texts] as const),
  )("number %i says what happened: %s", (index, subject, sentence) => {
    const texts = textsOf(NOTICES[index] as Notice);
    expect(texts[0]).toBe(subject);
    expect(texts[1]).toContain(sentence);
  });

  it("covers everything there is to tell, and tells each apart", () => {
    const texts = NOTICES.map((notice) => textsOf(notice)[1]);
    expect(new Set(texts).size).toBe(NOTICES.length);
    expect(NOTICES).toHaveLength(24);
  });

  it("says when, in UTC, where, from what, and what to do if it was somebody else", () => {
    const where = "in or near “Lisbon, Lisboa, PT”, from the network 192.0.2.0/24";
    for (const notice of NOTICES) {
      const text = textsOf(notice).join("\n\n");
      expect(text).toContain(
        `This happened at 2026-01-31 23:59 UTC, ${where}, from a program that calls itself “${FIREFOX}”.`,
      );
      expect(text).toMatch(/If it was not you, somebody else can use your account\. Open this link within 72 hours/);
      expect(text).toContain(`\n\n${LINK}\n\n`);
    }
  });

  it("leaves out what is not known", () => {
    const [notice] = NOTICES;
    const sentences = (occasion: typeof OCCASION) => textsOf(notice as Notice, occasion)[2];
    expect(sentences({ at: AT, userAgent: "" })).toBe("This happened at 2026-01-31 23:59 UTC.");
    expect(sentences({ at: AT, userAgent: "curl/8" })).toBe(
      "This happened at 2026-01-31 23:59 UTC, from a program that calls itself “curl/8”.",
    );
    expect(sentences({ at: AT, userAgent: "", place: "PT" })).toBe(
      "This happened at 2026-01-31 23:59 UTC, in or near “PT”.",
    );
  });

  it("asks for a new set once a recovery code is gone, and for nothing of the kind elsewhere", () => {
    const asking = NOTICES.filter((notice) => textsOf(notice).join("\n").includes("make a new set of codes"));
    expect(asking).toEqual([{ notice: "recovery_code_used", remaining: 7 }]);
    expect(textsOf({ notice: "recovery_code_used", remaining: 0 }).join("\n")).toContain("Codes left: 0.");
  });

  it("says how to go on where no password works any more", () => {
    const asking = NOTICES.filter((notice) => textsOf(notice).join("\n").includes("To go on, ask for a new password"));
    expect(asking.map(({ notice }) => notice)).toEqual(["email_restored", "account_frozen"]);
  });
});
