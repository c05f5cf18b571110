import { compose } from "./layout.ts";
import type { Message } from "./message.ts";

/** What those who run the service have done to an account. */
export type OperatorNotice =
  | { notice: "account_disabled" | "account_enabled" }
  | { notice: "roles_changed"; roles: string[] };

/**
 * Tells the owner of an account what those who run the service have done to it. Without the link of "this was not me",
 * which would stop nothing here, and without where they were: that is nobody's business.
 */
export function noticeByOperator(appName: string, to: string, notice: OperatorNotice): Message {
  const [subject, sentence] = wordsOf(notice, `your account at ${appName}`);
  return compose(appName, to, subject, [
    sentence,
    `This was done by those who run ${appName}. If you did not expect it, ask them.`,
  ]);
}

function wordsOf(notice: OperatorNotice, account: string): [subject: string, sentence: string] {
  switch (notice.notice) {
    case "account_disabled":
      return [
        `Sign-in to ${account} was closed`,
        `Nobody can sign in to ${account} any more, and everybody was signed out.`,
      ];
    case "account_enabled":
      return [`Sign-in to ${account} is open again`, `It is possible to sign in to ${account} again.`];
    case "roles_changed":
      return [
        `What ${account} may do was changed`,
        `The roles of ${account} are now: ${notice.roles.join(", ") || "none"}. Everybody was signed out, and has to sign in anew.`,
      ];
  }
}
