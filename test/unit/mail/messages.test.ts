import { describe, expect, it } from "vitest";
import type { Message } from "../../../src/mail/message.ts";
import { alreadyRegistered, confirmRegistration } from "../../../src/mail/messages.ts";

const TO = "ada@example.com";
const LINK = "https://auth.example.com/verify-email#token=AbC-_123";

/** Every mail there is, for an application of this name. */
function mailsOf(appName: string, link = LINK): Message[] {
  return [confirmRegistration(appName, TO, link), alreadyRegistered(appName, TO)];
}

describe("a mail", () => {
  it("goes to the address it was asked for and says for whom it speaks", () => {
    for (const mail of mailsOf("Acme")) {
      expect(mail.to).toBe(TO);
      expect(mail.subject).toContain("Acme");
      expect(mail.text).toContain("Acme");
      expect(mail.html).toContain("Acme");
    }
  });

  it("carries its link in both forms, and none but its own", () => {
    const mail = confirmRegistration("Acme", TO, LINK);
    expect(mail.text.split("\n")).toContain(LINK);
    expect([...mail.html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([LINK]);
    const notice = alreadyRegistered("Acme", TO);
    expect(notice.text + notice.html).not.toMatch(/https?:|href/);
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
    const { html } = confirmRegistration("Acme", TO, `${LINK}"><script>alert('1')</script>&x=<y>`);
    expect(tagsOf(html)).toEqual(tagsOf(confirmRegistration("Acme", TO, LINK).html));
    expect(html).toContain("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;x=&lt;y&gt;");
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

function tagsOf(html: string): string[] {
  return html.match(/<[^>]*>/g)?.map((tag) => tag.replace(/href="[^"]*"/, "href")) ?? [];
}

function textOf(html: string): string {
  const entities: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };
  return html.replace(/<[^>]*>/g, "").replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => entities[entity] ?? entity);
}
