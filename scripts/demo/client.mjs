import { printAnswer, printProof, printRequest } from "./screen.mjs";

/** An answer was not the expected one: the demo ends, the message says what was expected and what came. */
export class Unexpected extends Error {}

/** Throws `Unexpected` unless `condition` holds, else writes down that it does. */
export function prove(condition, claim) {
  if (!condition) throw new Unexpected(`This should have held: ${claim}.`);
  printProof(claim);
}

async function exchange(method, url, token, body) {
  const answer = await fetch(url, {
    method,
    headers: {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(body && { "Content-Type": "application/json" }),
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) };
}

/**
 * A visitor of one service who shows each request and each answer.
 *
 * @param {string} origin of the service
 * @param {string} [shownOrigin] written before each path; left out for the service that the demo is about
 */
export function createClient(origin, shownOrigin = "") {
  /** Resolves to `{headers, body}`; throws `Unexpected` unless status (and, for a problem, `code`) are as given. */
  async function send(method, path, { body, token, status = 200, code } = {}) {
    printRequest(method, shownOrigin + path, token, body);
    const answer = await exchange(method, origin + path, token, body);
    printAnswer(answer.status, answer.headers.get("WWW-Authenticate"), answer.body);
    const wanted = code ? `${status} ${code}` : `${status}`;
    const got = code ? `${answer.status} ${answer.body?.code}` : `${answer.status}`;
    if (got !== wanted) throw new Unexpected(`${method} ${path} should have answered ${wanted}, but answered ${got}.`);
    return answer;
  }
  return {
    get: (path, options) => send("GET", path, options),
    post: (path, body, options) => send("POST", path, { ...options, body }),
    /** The body of an answer that nobody needs to see, for waiting. */
    peek: async (path) => (await exchange("GET", origin + path)).body,
  };
}
