import { WEBHOOK_TIMEOUT_MS } from "../event-policy.ts";

/** Where a webhook goes and what signs it. */
interface Destination {
  url: string;
  secret: Uint8Array<ArrayBuffer>;
}

/**
 * Posts a message as Standard Webhooks 1.0 has it: `id` is the same at every try, and the time of the try (`now`, epoch
 * milliseconds) is signed with it. Throws unless the answer is a 2xx that came in time; a redirect is none, and leads
 * nowhere.
 */
export async function postWebhook({ url, secret }: Destination, id: string, body: string, now: number): Promise<void> {
  const timestamp = String(Math.floor(now / 1000));
  const answer = await ask(url, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "User-Agent": "Sallyport",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${await signature(secret, `${id}.${timestamp}.${body}`)}`,
    },
    body,
    redirect: "manual",
    signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`the webhook answered ${answer.status}`);
}

/** The platform puts the address into what it says of a failure, and the address may be all that it takes to post there. */
async function ask(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    throw new Error(`the webhook did not answer (${error instanceof Error ? error.name : "unknown"})`);
  }
}

async function signature(secret: Uint8Array<ArrayBuffer>, text: string): Promise<string> {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(mac)));
}
