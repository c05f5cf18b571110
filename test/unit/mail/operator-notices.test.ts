import { expect, it } from "vitest";
import { noticeByOperator, type OperatorNotice } from "../../../src/mail/operator-notices.ts";

const NOTICES: [OperatorNotice, subject: string, sentence: string][] = [
  [{ notice: "account_disabled" }, "was closed", "Nobody can sign in"],
  [{ notice: "account_enabled" }, "is open again", "possible to sign in"],
  [
    { notice: "roles_changed", roles: ["editor", "billing:read"] },
    "may do was changed",
    "are now: editor, billing:read.",
  ],
  [{ notice: "roles_changed", roles: [] }, "may do was changed", "are now: none."],
];

it.each(NOTICES)("%j says what was done and by whom, and has no link", (notice, subject, sentence) => {
  const mail = noticeByOperator("Acme", "ada@example.com", notice);
  expect(mail.to).toBe("ada@example.com");
  expect(mail.subject).toContain(subject);
  expect(mail.text).toContain(sentence);
  expect(mail.text).toContain("by those who run Acme");
  expect(`${mail.text}${mail.html}`).not.toMatch(/href|https?:/);
});
