import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { Message } from "../../../src/mail/message.ts";
import { openLink } from "../../../src/tokens/one-time-link.ts";
import { call, type Person, ring } from "../../support/in-worker.ts";

/** The mails to a person, the newest first. */
export async function mailsOf({ email }: Pick<Person, "email">): Promise<Message[]> {
  return (await call(`/dev/mailbox?to=${encodeURIComponent(email)}`)).body.messages as Message[];
}

/** The mails that something caused, the newest first. */
export async function mailsBy(person: Person, act: () => Promise<unknown>): Promise<Message[]> {
  const before = (await mailsOf(person)).length;
  await act();
  const mails = await mailsOf(person);
  return mails.slice(0, mails.length - before);
}

/** The subjects of the mails that something caused. */
export async function subjectsBy(person: Person, act: () => Promise<unknown>): Promise<string[]> {
  return (await mailsBy(person, act)).map(({ subject }) => subject);
}

/**
 * Expects exactly one mail of something, to the stored address, that says what it shall and carries a link of "this was
 * not me" for this very account.
 */
export async function expectNotice(person: Person, saying: RegExp, act: () => Promise<unknown>): Promise<Message> {
  const mails = await mailsBy(person, act);
  expect(mails.map(({ subject }) => subject)).toEqual([expect.stringMatching(saying)]);
  const [mail] = mails as [Message];
  const stored = await env.DB.prepare("SELECT email FROM users WHERE id = ?").bind(person.id).first("email");
  expect(mail.to).toBe(stored);
  await expectFreezeLink(person, mail);
  return mail;
}

async function expectFreezeLink({ id }: Person, { to, text }: Message): Promise<void> {
  const links = [...text.matchAll(/^http:\/\/localhost\/freeze#token=([A-Za-z0-9._~-]+)$/gm)];
  expect(links).toHaveLength(1);
  const opened = await openLink(await ring(), "freeze", links[0]?.[1] ?? "", Date.now());
  expect(opened).toEqual({ accountId: id, email: to, at: expect.any(Number) });
}
