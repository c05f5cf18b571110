import type { MailTransport } from "./message.ts";

/** A mail provider that does not answer is a failure after this. */
const HTTP_TIMEOUT_MS = 10_000;

/** Mail through the platform's own binding. */
export function bindingTransport(binding: SendEmail, from: string): MailTransport {
  return async ({ to, subject, text, html }) => {
    await binding.send({ from, to, subject, text, html });
  };
}

/** Mail through any provider that takes JSON: POST `{from, to, subject, text, html}` with a bearer secret, and an `Idempotency-Key`. */
export function httpTransport(url: string, secret: string, from: string): MailTransport {
  return async ({ idempotencyKey, ...message }) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${secret}`,
        "Content-Type": "application/json",
        ...(idempotencyKey === undefined ? {} : { "Idempotency-Key": idempotencyKey }),
      },
      body: JSON.stringify({ from, ...message }),
      signal: AbortSignal.timeout(HTTP_TIMEOUT_MS),
      redirect: "manual",
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`the mail provider answered ${answer.status}`);
  };
}
