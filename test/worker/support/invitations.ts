import { env } from "cloudflare:workers";
import { invite } from "../../../src/flows/invite.ts";
import type { Message } from "../../../src/mail/message.ts";
import { openService } from "../../../src/service.ts";
import { sealLink } from "../../../src/tokens/one-time-link.ts";
import { type Answer, type Call, call, newSource, ring } from "../../support/in-worker.ts";
import { DAY } from "./moved-clock.ts";

/** What an invited person chooses. */
export const CHOSEN = "correct horse battery";

/** An address that no other test uses. */
export const newAddress = () => `Invited.${crypto.randomUUID().slice(0, 8)}@Example.com`;

/** Invites an address as an operator's command would, and waits for the mail. */
export async function inviteAsOperator(email: string, settings: object = {}) {
  const mails: Message[] = [];
  const tail: Promise<unknown>[] = [];
  const EMAIL = { send: async (message: Message) => void mails.push(message) };
  const from = { MAIL_TRANSPORT: "binding", MAIL_FROM: "Sallyport <auth@example.com>", EMAIL };
  const service = openService({ ...env, ...from, ...settings } as unknown as Env, (work) => void tail.push(work), {});
  if ("problems" in service) throw new Error(service.problems.join());
  const network = { source: newSource(), network: "none" };
  const browser = { isBrowser: false, recognised: undefined, trusted: undefined };
  const outcome = await invite(
    service,
    { now: Date.now(), network, from: { source: "unknown" }, userAgent: "", browser },
    email,
  );
  await Promise.all(tail);
  return { outcome, mails };
}

/** The token of an invitation. */
export async function invitationOf(email: string, expiresAt = Date.now() + 7 * DAY): Promise<string> {
  return sealLink(await ring(), "invitation", { email }, expiresAt);
}

/** Accepts an invitation. */
export function accept(token: unknown, password: unknown = CHOSEN, options: Call = {}): Promise<Answer> {
  return call("/auth/invitation/accept", { token, password }, options);
}
