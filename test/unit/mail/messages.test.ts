import { describe, expect, it } from "vitest";
import { addressAlreadyTaken, emailChangeAsked, emailChanged } from "../../../src/mail/messages.ts";
import {
  LINK,
  linkingMails,
  mailsOf,
  mailsWithLink,
  mailsWithoutLink,
  OCCASION,
  paragraphsOf,
  TO,
  tagsOf,
  textOf,
} from "../support/mails.ts";

const HOSTILE = [
  "<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "' onclick='x",
  "&lt;b&gt; & co",
  "</p></body></html><h1>",
  "<!--",
];

describe("every mail", () => {
  it("goes to the address it was asked for and says for whom it speaks", () => {
    for (const mail of mailsOf("Acme")) {
      expect(mail.to).toBe(TO);
      expect(mail.subject).toContain("Acme");
      expect(mail.text).toContain("Acme");
      expect(mail.html).toContain("Acme");
    }
  });

  it("says the same in plain text and in HTML", () => {
    for (const { text, html } of mailsOf("Acme")) expect(paragraphsOf(html)).toEqual(text.trimEnd().split("\n\n"));
  });

  it("carries its link in both forms, and none but its own", () => {
    for (const { text, html } of linkingMails("Acme")) {
      expect(text.split("\n")).toContain(LINK);
      expect(text.match(/https?:/g)).toHaveLength(1);
      expect([...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([LINK]);
      expect(textOf(html)).not.toMatch(/https?:/);
    }
    for (const { text, html } of mailsWithoutLink("Acme")) expect(text + html).not.toMatch(/https?:|href/);
  });

  it("loads nothing when it is opened", () => {
    for (const { html } of mailsOf("Acme")) {
      expect(html).not.toMatch(/<(img|link|script|style|iframe|object|embed|video|audio|svg|form|base|meta)\b/i);
      expect(html).not.toMatch(/\b(src|srcset|background|action|style)\s*=|url\(|@import/i);
    }
  });

  it.each(HOSTILE)("keeps the application name %j text", (name) => {
    const mails = mailsOf(name).map(({ html }) => html);
    expect(mails.map(tagsOf)).toEqual(mailsOf("Acme").map(({ html }) => tagsOf(html)));
    for (const html of mails) expect(textOf(html)).toContain(name);
  });

  it("keeps a link inside its attribute, whatever is in it", () => {
    const link = `${LINK}"><script>alert('1')</script>&x=<y>`;
    const mails = linkingMails("Acme", { link }).map(({ html }) => html);
    expect(mails.map(tagsOf)).toEqual(linkingMails("Acme").map(({ html }) => tagsOf(html)));
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
      expect(text).not.toMatch(/[<>]|&\w+;|undefined|NaN/);
      expect(text.endsWith("\n")).toBe(true);
    }
  });

  it("never shows the address it was sent to, so that a forwarded one names nobody", () => {
    for (const { subject, text, html } of mailsOf("Acme")) expect(subject + text + html).not.toContain(TO);
  });

  it("says what to do, or that nothing is to be done, if it was somebody else", () => {
    const { invitation: _, ...others } = mailsWithLink("Acme");
    for (const { text } of Object.values(others)) expect(text).toMatch(/[Ii]f it was not you, /);
    for (const { text } of mailsWithoutLink("Acme"))
      expect(text).toContain("If it was not you, there is nothing to do.");
  });
});

describe("a mail with a link", () => {
  it.each([
    ["confirmRegistration", "Confirm your address for Acme", "within 24 hours"],
    ["proveMailbox", "Sign in to Acme", "within 15 minutes"],
    ["resetPassword", "A new password for Acme", "within 30 minutes"],
    ["confirmNewEmail", "Confirm your new address for Acme", "within 24 hours"],
    ["emailChangeAsked", "Your account at Acme may get another address", "within 72 hours"],
    ["emailChanged", "Your account at Acme has another address", "within 72 hours"],
    ["recoveryAsked", "Recover your account at Acme", "within 30 minutes"],
    ["recoveryRunning", "Your account at Acme is being recovered", "After 2026-01-31 23:59 UTC"],
    ["recoveryReady", "Your account at Acme can be recovered now", "within 24 hours"],
    ["deletionScheduled", "Your account at Acme will be deleted", "After 2026-01-31 23:59 UTC"],
    ["invitation", "You are invited to Acme", "within 7 days"],
  ])("%s says what it is about and how long there is time: %s, %s", (template, subject, time) => {
    const mail = mailsWithLink("Acme")[template];
    expect(mail?.subject).toBe(subject);
    expect(mail?.text).toContain(time);
  });

  it("is named above, whichever it is", () => {
    expect(Object.keys(mailsWithLink("Acme"))).toHaveLength(11);
    expect(new Set(mailsOf("Acme").map(({ text }) => text)).size).toBe(mailsOf("Acme").length);
  });

  it("that proves a mailbox says where to open it, and that doing nothing is safe", () => {
    const { proveMailbox } = mailsWithLink("Acme");
    expect(proveMailbox?.text).toContain("in the browser you want to sign in with");
    expect(proveMailbox?.text).toContain("do nothing");
  });
});

describe("the mails of a change of address", () => {
  it("name the new address to the old one, and say when and where it was asked for", () => {
    const asked = emailChangeAsked("Acme", TO, "new@example.net", LINK, OCCASION).text;
    expect(asked).toContain("use the address “new@example.net” from now on");
    expect(asked).toContain("This happened at 2026-01-31 23:59 UTC");
    expect(emailChanged("Acme", TO, "new@example.net", LINK).text).toContain("the address “new@example.net”");
  });

  it.each(HOSTILE)("keep the new address %j text", (newEmail) => {
    const shown = mailsOf("Acme", { newEmail }).map(({ html }) => html);
    expect(shown.map(tagsOf)).toEqual(mailsOf("Acme").map(({ html }) => tagsOf(html)));
    expect(shown.filter((html) => textOf(html).includes(`“${newEmail}”`))).toHaveLength(2);
  });

  it("say nothing of the other account to an address that has its own", () => {
    expect(addressAlreadyTaken("Acme", TO).text).not.toContain("@");
  });
});
