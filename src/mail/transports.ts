import type { MailTransport } from "./message.ts";

/** A mail provider that does not answer is a failure after this. */
const HTTP_TIMEOUT_MS = 10_000;

/** Mail through the platform's own binding. */
export function bindingTransport(binding: SendEmail, from: string): MailTransport {
  return async (message) => {
    await binding.send({ from, ...message });
  };
}

/** Mail through any provider that takes JSON: POST `{from, to, subject, text, html}` with a bearer secret. */
export function httpTransport(url: string, secret: string, from: string): MailTransport {
  return async (message) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" },
      body: JSON.stringify({ from, ...message }),
      signal: AbortSignal.timeout(HTTP_TIMEOUT_MS),
      redirect: "manual",
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`the mail provider answered ${answer.status}`);
  };
}
