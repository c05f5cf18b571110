/** As much of the platform's `fetch` as is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A whole answer with status 200. */
export interface SmallAnswer {
  headers: Headers;
  text: string;
}

/** No answer: nobody there, too slow, broken off, or a fault of the server (5xx). Or an answer that is none: anything else. */
export type FetchDefect = "unreachable" | "unusable";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** An address that may be trusted with keys: `https:`, or plain HTTP to this machine. Throws a `TypeError` for others. */
export function checkedAddress(address: string): string {
  const url = new URL(address);
  const isPrivate = url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.has(url.hostname));
  if (!isPrivate || url.username !== "" || url.password !== "" || url.hash !== "") {
    throw new TypeError(`not an https address: ${url.protocol}//${url.host}`);
  }
  return url.href;
}

/**
 * Fetches a small document: within `timeoutMs`, at most `maxBytes` bytes of UTF-8, and from nowhere else. A redirect is
 * not followed, because whoever may redirect could then choose the keys. Never throws.
 */
export async function fetchSmall(
  fetch: Fetch = platformFetch,
  address: string,
  { maxBytes, timeoutMs }: { maxBytes: number; timeoutMs: number },
): Promise<SmallAnswer | FetchDefect> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  // A fetch that does not listen to its signal must not hang whoever waits for it either.
  const tooLate = new Promise<FetchDefect>((resolve) => {
    timer = setTimeout(() => {
      resolve("unreachable");
      controller.abort();
    }, timeoutMs);
  });
  try {
    // "error" would say it better, and is refused by Workers.
    const init: RequestInit = { redirect: "manual", signal: controller.signal };
    return await Promise.race([answerOf(fetch, address, init, maxBytes), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

async function answerOf(
  fetch: Fetch,
  address: string,
  init: RequestInit,
  maxBytes: number,
): Promise<SmallAnswer | FetchDefect> {
  try {
    const answer = await fetch(address, init);
    if (answer.status === 200 && !answer.redirected) return await wholeOf(answer, maxBytes);
    // Nobody reads it: a connection that waits for that is one less.
    await answer.body?.cancel();
    return answer.status >= 500 ? "unreachable" : "unusable";
  } catch {
    return "unreachable";
  }
}

/** Counts while it reads, since a declared length can lie. Throws when the answer breaks off. */
async function wholeOf({ body, headers }: Response, maxBytes: number): Promise<SmallAnswer | FetchDefect> {
  const reader = body?.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    length += read.value.length;
    if (length > maxBytes) {
      await reader?.cancel();
      return "unusable";
    }
    chunks.push(read.value);
  }
  const text = textOf(chunks, length);
  return text === undefined ? "unusable" : { headers, text };
}

function textOf(chunks: Uint8Array[], length: number): string | undefined {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

// Called as a function of the global object, as some platforms insist.
const platformFetch: Fetch = (url, init) => globalThis.fetch(url, init);
