import { BOT_CHECK_ANSWER_MAX_BYTES, BOT_CHECK_TIMEOUT_MS } from "../edge-policy.ts";

/** Whom to ask about a token of a bot check, and where it may have been made. */
export interface SiteVerify {
  verifyUrl: string;
  secret: string;
  hostnames: ReadonlySet<string> | "any";
}

/** The action that pages name to the widget at a sign-in: a token of another form of the site is not for this one. */
export const BOT_CHECK_ACTION = "login";

/**
 * Whether a token of a bot check is good: each is for once and for five minutes, which is for Turnstile to see to. The
 * user's address does not leave: it is optional, and Turnstile has seen it by itself. Throws when there is no answer in
 * time, or none to make sense of; neither the token nor the secret is in what it throws.
 */
export async function siteverify({ verifyUrl, secret, hostnames }: SiteVerify, token: string): Promise<boolean> {
  const answer = await fetch(verifyUrl, {
    method: "POST",
    headers: { "Content-Type": "application/json", "User-Agent": "Sallyport" },
    body: JSON.stringify({ secret, response: token }),
    signal: AbortSignal.timeout(BOT_CHECK_TIMEOUT_MS),
    redirect: "manual",
  }).catch(unreachable);
  const verdict = parse(await readText(answer.body).catch(unreachable));
  // Turnstile also says with 400 that a token is not good.
  if (verdict === undefined) throw new Error(`siteverify answered ${answer.status}, and no verdict`);
  if (!verdict.success && verdict["error-codes"]?.some(isOurs)) throw new Error("siteverify does not know the secret");
  return verdict.success && isFrom(verdict, hostnames);
}

interface Verdict {
  success: boolean;
  hostname?: unknown;
  action?: unknown;
  "error-codes"?: unknown[];
}

/** Codes that tell of this service and not of who asks: with a wrong secret nobody would ever pass. */
function isOurs(code: unknown): boolean {
  return ["missing-input-secret", "invalid-input-secret", "internal-error"].includes(String(code));
}

/** What a verdict does not say is not asked of it: an action is there only where the page has named one. */
function isFrom({ hostname, action }: Verdict, hostnames: SiteVerify["hostnames"]): boolean {
  const isHost = hostnames === "any" || (typeof hostname === "string" && hostnames.has(hostname));
  return isHost && (action === undefined || action === "" || action === BOT_CHECK_ACTION);
}

function parse(text: string): Verdict | undefined {
  try {
    const value = JSON.parse(text) as Partial<Verdict> | null;
    const codes = value?.["error-codes"];
    if (typeof value?.success !== "boolean" || !(codes === undefined || Array.isArray(codes))) return undefined;
    return value as Verdict;
  } catch {
    return undefined;
  }
}

/** Says no more than the kind of a failure. */
function unreachable(error: unknown): never {
  throw new Error(`siteverify did not answer: ${error instanceof Error ? error.name : "unknown"}`);
}

/** Counted while reading, since a declared length can lie or be absent. */
async function readText(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const decoder = new TextDecoder();
  let [text, length] = ["", 0];
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > BOT_CHECK_ANSWER_MAX_BYTES) throw new RangeError("too long");
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
