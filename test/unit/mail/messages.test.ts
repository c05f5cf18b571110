import { describe, expect, it } from "vitest";
import type { Message } from "../../../src/mail/message.ts";
import {
  alreadyRegistered,
  confirmRegistration,
  type Notice,
  noticeToOwner,
  proveMailbox,
} from "../../../src/mail/messages.ts";

const TO = "ada@example.com";
const LINK = "https://auth.example.com/verify-email#token=AbC-_123";

const AT = Date.UTC(2026, 0, 31, 23, 59, 58);
const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0";

const NOTICES: Notice[] = [
  { notice: "factor_added", kind: "totp", label: "My phone" },
  { notice: "factor_added", kind: "passkey", label: "My laptop" },
  { notice: "factor_removed", kind: "totp", label: "My phone" },
  { notice: "factor_removed", kind: "passkey", label: "My laptop" },
  { notice: "second_factor_turned_off" },
  { notice: "recovery_code_used", remaining: 7 },
  { notice: "recovery_codes_replaced" },
  { notice: "browser_trusted", until: AT + 30 * 86_400_000 },
];

/** Every mail with a link, for an application of this name. */
function mailsWithLink(appName: string, link = LINK): Message[] {
  return [confirmRegistration(appName, TO, link), proveMailbox(appName, TO, link)];
}

/** Every mail without one. */
function mailsWithoutLink(appName: string): Message[] {
  const occasion = { at: AT, userAgent: FIREFOX };
  return [alreadyRegistered(appName, TO), ...NOTICES.map((notice) => noticeToOwner(appName, TO, notice, occasion))];
}

/** Every mail there is. */
function mailsOf(appName: string): Message[] {
  return [...mailsWithLink(appName), ...mailsWithoutLink(appName)];
}

describe("every mail", () => {
  it("goes to the address it was asked for and says for whom it speaks", () => {
    for (const mail of mailsOf("Acme")) {
      expect(mail.to).toBe(TO);
      expect(mail.subject).toContain("Acme");
      expect(mail.text).toContain("Acme");
      expect(mail.html).toContain("Acme");
    }
  });

  it("carries its link in both forms, and none but its own", () => {
    for (const { text, html } of mailsWithLink("Acme")) {
      expect(text.split("\n")).toContain(LINK);
      expect([...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([LINK]);
    }
    for (const { text, html } of mailsWithoutLink("Acme")) expect(text + html).not.toMatch(/https?:|href/);
  });

  it("loads nothing when it is opened", () => {
    for (const { html } of mailsOf("Acme")) {
      expect(html).not.toMatch(/<(img|link|script|style|iframe|object|embed|video|audio|svg|form|base|meta)\b/i);
      expect(html).not.toMatch(/\b(src|srcset|background|action|style)\s*=|url\(|@import/i);
    }
  });

  it.each([
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onclick='x",
    "&lt;b&gt; & co",
    "</p></body></html><h1>",
    "<!--",
  ])("keeps the application name %j text", (name) => {
    const mails = mailsOf(name).map(({ html }) => html);
    expect(mails.map(tagsOf)).toEqual(mailsOf("Acme").map(({ html }) => tagsOf(html)));
    for (const html of mails) expect(textOf(html)).toContain(name);
  });

  it("keeps a link inside its attribute, whatever is in it", () => {
    const mails = mailsWithLink("Acme", `${LINK}"><script>alert('1')</script>&x=<y>`).map(({ html }) => html);
    expect(mails.map(tagsOf)).toEqual(mailsWithLink("Acme").map(({ html }) => tagsOf(html)));
    for (const html of mails) {
      expect(html).toContain("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;x=&lt;y&gt;");
    }
  });

  it.each(["Acme\r\nBcc: eve@evil.example", "Acme\nBcc: eve@evil.example", "Acme\rBcc: eve@evil.example"])(
    "has a subject of one line for the name %j",
    (name) => {
      for (const { subject } of mailsOf(name)) {
        expect(subject).not.toMatch(/[\r\n]/);
        expect(subject).toContain("Acme Bcc: eve@evil.example");
      }
    },
  );

  it("is a sentence for people in plain text, too", () => {
    for (const { text } of mailsOf("Acme")) {
      expect(text).not.toMatch(/[<>]|&\w+;/);
      expect(text.endsWith("\n")).toBe(true);
    }
  });

  it("never shows the address it was sent to, so that a forwarded one names nobody", () => {
    for (const { subject, text, html } of mailsOf("Acme")) expect(subject + text + html).not.toContain(TO);
  });
});

describe("the mail that proves a mailbox", () => {
  it("says how long its link lives, where to open it, and that doing nothing is safe", () => {
    const { subject, text } = proveMailbox("Acme", TO, LINK);
    expect(subject).toBe("Sign in to Acme");
    expect(text).toContain("within 15 minutes");
    expect(text).toContain("in the browser you want to sign in with");
    expect(text).toContain("do nothing");
  });
});

describe("a notice to the owner", () => {
  const textsOf = (notice: Notice, userAgent = FIREFOX) => {
    const { subject, text } = noticeToOwner("Acme", TO, notice, { at: AT, userAgent });
    return [subject, ...text.split("\n\n")];
  };

  it.each([
    [0, "A second factor was added to your account at Acme", "The authenticator app “My phone” was added"],
    [1, "A second factor was added to your account at Acme", "The passkey “My laptop” was added"],
    [2, "A second factor was removed from your account at Acme", "The authenticator app “My phone” was removed"],
    [3, "A second factor was removed from your account at Acme", "The passkey “My laptop” was removed"],
    [4, "The second factor of your account at Acme was turned off", "The password alone now opens it."],
    [5, "A recovery code of your account at Acme was used", "Codes left: 7."],
    [6, "The recovery codes of your account at Acme were replaced", "The codes from before no longer work."],
    [7, "A browser is now trusted by your account at Acme", "Until 2026-03-02 23:59 UTC a browser may sign in"],
  ])("number %i says what happened: %s", (index, subject, sentence) => {
    const texts = textsOf(NOTICES[index] as Notice);
    expect(texts[0]).toBe(subject);
    expect(texts[1]).toContain(sentence);
  });

  it("covers everything there is to tell, and tells each apart", () => {
    const texts = NOTICES.map((notice) => textsOf(notice)[1]);
    expect(new Set(texts).size).toBe(NOTICES.length);
  });

  it("says when, in UTC, from what, and what to do if it was somebody else", () => {
    for (const notice of NOTICES) {
      const text = textsOf(notice).join("\n");
      expect(text).toContain(`This happened at 2026-01-31 23:59 UTC, from a program that calls itself “${FIREFOX}”.`);
      expect(text).toContain("If it was not you, somebody else can use your account");
    }
  });

  it("asks for a new set once a recovery code is gone, and for nothing of the kind elsewhere", () => {
    const asking = NOTICES.filter((notice) => textsOf(notice).join("\n").includes("make a new set of codes"));
    expect(asking).toEqual([{ notice: "recovery_code_used", remaining: 7 }]);
    expect(textsOf({ notice: "recovery_code_used", remaining: 0 }).join("\n")).toContain("Codes left: 0.");
  });
});

describe("text that a stranger chose, in a notice", () => {
  /** A label and a user agent, each in a mail of its own, and the same mail with a harmless text. */
  const mailsWith = (text: string) => [
    noticeToOwner("Acme", TO, { notice: "factor_added", kind: "totp", label: text }, { at: AT, userAgent: "x" }),
    noticeToOwner("Acme", TO, { notice: "factor_removed", kind: "passkey", label: "x" }, { at: AT, userAgent: text }),
  ];

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
    ["characters that turn the line around", "My \u202egnp.exe\u2066\u200f", "My gnp.exe"],
    ["half a character", "My \ud800phone", "My phone"],
    ["the quotes it stands in", "My phone”. Write to “eve", 'My phone". Write to "eve'],
    ["spaces around it", "  My   phone\t", "My phone"],
    ["nothing", "", ""],
  ])("stays on its line and in its quotes, with %s", (_, text, expected) => {
    for (const mail of mailsWith(text)) {
      expect(mail.text).toContain(`“${expected}”`);
      expect(textOf(mail.html)).toContain(`“${expected}”`);
      expect(mail.text.split("\n")).toHaveLength(mailsWith("x")[0]?.text.split("\n").length ?? 0);
    }
  });

  it("never reaches a header", () => {
    for (const text of ["eve", "x\r\nBcc: eve@evil.example"]) {
      expect(mailsWith(text).map(({ to, subject }) => [to, subject])).toEqual(
        mailsWith("x").map(({ to, subject }) => [to, subject]),
      );
    }
  });

  it("is cut when it is long, and never through the middle of a character", () => {
    const [label, userAgent] = mailsWith("🔑".repeat(10_000)).map(({ text }) => text.match(/“(🔑+…)”/u)?.[1]);
    expect(label).toBe(`${"🔑".repeat(64)}…`);
    expect(userAgent).toBe(`${"🔑".repeat(256)}…`);
    const [whole] = mailsWith("k".repeat(64));
    expect(whole?.text).toContain(`“${"k".repeat(64)}”`);
  });
});

function tagsOf(html: string): string[] {
  return html.match(/<[^>]*>/g)?.map((tag) => tag.replace(/href="[^"]*"/, "href")) ?? [];
}

function textOf(html: string): string {
  const entities: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };
  return html.replace(/<[^>]*>/g, "").replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => entities[entity] ?? entity);
}
