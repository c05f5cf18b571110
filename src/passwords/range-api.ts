import { BREACH_CHECK_TIMEOUT_MS, BREACH_RANGE_MAX_BYTES } from "../policy.ts";
import { breachPlaceOf, lookUp } from "./breach-range.ts";

/**
 * Whether a password, in its normal form, is one of a known breach, by k-anonymity: the API learns the first digits of
 * a hash and nothing of the account. `url` ends in a slash. Throws when there is no answer in time, or none to make
 * sense of; nothing of the password or its hash is in what it throws.
 */
export async function isBreached(url: string, password: string): Promise<boolean> {
  const { prefix, suffix } = await breachPlaceOf(password);
  const verdict = lookUp(suffix, await readRange(`${url}${prefix}`));
  if (verdict === "unreadable") throw new Error("the range API answered something else than a range");
  return verdict === "breached";
}

async function readRange(url: string): Promise<string> {
  const answer = await fetch(url, {
    // With padding all answers look equally long to the network; without a user agent some APIs refuse.
    headers: { "Add-Padding": "true", "User-Agent": "Sallyport" },
    signal: AbortSignal.timeout(BREACH_CHECK_TIMEOUT_MS),
    redirect: "manual",
  }).catch(unreachable);
  if (answer.status === 200) return readText(answer.body);
  await answer.body?.cancel();
  throw new Error(`the range API answered ${answer.status}`);
}

/** Says no more than the kind of a failure: its text may hold the address, and with it digits of the hash. */
function unreachable(error: unknown): never {
  throw new Error(`the range API did not answer: ${error instanceof Error ? error.name : "unknown"}`);
}

/** Counted while reading, since a declared length can lie or be absent. */
async function readText(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const decoder = new TextDecoder();
  let [text, length] = ["", 0];
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > BREACH_RANGE_MAX_BYTES) throw new Error("the range API answered more than any range holds");
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
