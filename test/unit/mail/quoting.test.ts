import { describe, expect, it } from "vitest";
import { emailChanged } from "../../../src/mail/messages.ts";
import { noticeToOwner } from "../../../src/mail/notices.ts";
import { AT, FIREFOX, LINK, type OCCASION, TO, tagsOf, textOf } from "../support/mails.ts";

/** A label, a user agent and a place, each in a mail of its own, and the same mail with a harmless text. */
const mailsWith = (text: string) => [
  notice({ notice: "factor_added", kind: "totp", label: text }, {}),
  notice({ notice: "factor_removed", kind: "passkey", label: "x" }, { userAgent: text }),
  notice({ notice: "second_factor_turned_off" }, { place: text }),
];

function notice(what: Parameters<typeof noticeToOwner>[2], where: Partial<typeof OCCASION>) {
  return noticeToOwner("Acme", TO, what, { at: AT, userAgent: "x", ...where }, LINK);
}

describe("text that a stranger chose, in a notice", () => {
  it.each([
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onclick='x",
    "&lt;b&gt; & co",
    "</p></body></html><h1>",
    "<!--",
  ])("stays text in HTML: %j", (text) => {
    expect(mailsWith(text).map(({ html }) => tagsOf(html))).toEqual(mailsWith("x").map(({ html }) => tagsOf(html)));
    for (const { html } of mailsWith(text)) expect(textOf(html)).toContain(`“${text}”`);
  });

  it.each([
    ["line breaks", "My phone\r\n\r\nYour account is closed.", "My phone Your account is closed."],
    ["separators", "My\u2028phone\u2029is\u0085here\u00a0now", "My phone is here now"],
    ["control characters", "My\u0000 phone\u001b[31m\u007f", "My phone [31m"],
    ["characters that turn the line around", "My \u202egnp\u2066\u200f", "My gnp"],
    ["half a character", "My \ud800phone", "My phone"],
    ["the quotes it stands in", "My phone”. Write to “eve", 'My phone". Write to "eve'],
    ["spaces around it", "  My   phone\t", "My phone"],
  ])("stays on its line and in its quotes, with %s", (_, text, expected) => {
    for (const mail of mailsWith(text)) {
      expect(mail.text).toContain(`“${expected}”`);
      expect(textOf(mail.html)).toContain(`“${expected}”`);
      expect(mail.text.split("\n")).toHaveLength(mailsWith("x")[0]?.text.split("\n").length ?? 0);
    }
  });

  it.each([
    ["an address", "https://evil.example/login", "https: //evil. example/login"],
    ["an address of one word", "http://localhost", "http: //localhost"],
    ["the name of a host", "www.evil.example", "www. evil. example"],
    ["a name in another script", "пример.испытание", "пример. испытание"],
    ["somebody to write to", "eve@evil.example", "eve@evil. example"],
  ])("is nothing that a mail program makes a link of: %s", (_, text, expected) => {
    for (const mail of mailsWith(text)) {
      expect(mail.text).toContain(`“${expected}”`);
      expect(mail.text.replaceAll(LINK, "")).not.toMatch(/:\/\/|\p{L}\.\p{L}/u);
    }
  });

  it("is left as it is where there is nothing of the kind", () => {
    expect(mailsWith(FIREFOX).filter(({ text }) => text.includes(`“${FIREFOX.slice(0, 60)}`))).toHaveLength(3);
  });

  it("never reaches a header", () => {
    for (const text of ["eve", "x\r\nBcc: eve@evil.example"]) {
      expect(mailsWith(text).map(({ to, subject }) => [to, subject])).toEqual(
        mailsWith("x").map(({ to, subject }) => [to, subject]),
      );
    }
  });

  it("is cut when it is long, and never through the middle of a character", () => {
    const cut = mailsWith("🔑".repeat(10_000)).map(({ text }) => text.match(/“(🔑+…)”/u)?.[1]);
    expect(cut).toEqual([64, 256, 128].map((max) => `${"🔑".repeat(max)}…`));
    const [whole] = mailsWith("k".repeat(64));
    expect(whole?.text).toContain(`“${"k".repeat(64)}”`);
  });
});

it.each([
  ["ดู.com/login", "ดู. com/login"],
  ["ev\u00adil\u200b.com", "evil. com"],
  ["evil。com", "evil。 com"],
])("what a mail program would make a link of is broken up, in any script: %s", (text, expected) => {
  for (const { text: plain } of mailsWith(text)) expect(plain).toContain(`“${expected}”`);
});

it.each([
  ["ada.lovelace@mail.example", "ada.lovelace@mail.example"],
  ["www.evil.com/reset@mail.example", "www. evil. com/reset@mail.example"],
])("an address keeps its dots, unless it looks like a page: %s", (address, shown) => {
  expect(emailChanged("Acme", TO, address, LINK).text).toContain(`“${shown}”`);
});
