// A service behind Sallyport. It knows the address of the key set and its own name, no secret and no library of ours:
// everything it needs to trust an access token is in `verifyAccessToken` below, which is there to be copied.

import { realpathSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { fileURLToPath } from "node:url";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";

/** Longest token that is looked at. Sallyport's are under 2 KiB; parsing is work that a stranger must not be able to order. */
const MAX_TOKEN_LENGTH = 4096;

/** Clocks of two machines differ; half a minute is enough, and a dead token must not live much longer for it. */
const CLOCK_TOLERANCE_SECONDS = 30;

/** The longest life that Sallyport can be told to give an access token. A longer one is somebody's mistake. */
const MAX_LIFETIME_SECONDS = 600;

/**
 * The only spelling of an ES256 token that this service takes: three base64url parts, the first two a JSON object
 * (`ey` is `{` in base64url, so no byte order mark either), the last one 64 bytes whose four spare bits are zero.
 * Libraries decode more generously, and a token that can be spelled in several ways slips past any list of tokens.
 */
const COMPACT_ES256 = /^ey[A-Za-z0-9_-]+\.ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]$/;

/** The token is not good enough. `message` is for the log, the client only ever reads `invalid_token`. */
class Refusal extends Error {}

/** The key set did not answer, so nothing can be said about the token: our trouble, not the client's. */
class KeysUnavailable extends Error {}

/** Throws a `Refusal` with `reason` unless `condition` holds. */
function must(condition, reason) {
  if (!condition) throw new Refusal(reason);
}

/**
 * The text of the bearer token, or `undefined` when the request brings no credentials of that kind.
 * Tokens in the query or the body are never looked at: they end up in logs, histories and referrers.
 */
function bearerToken(request) {
  // Node keeps only the first of several Authorization headers, a proxy in front may have checked the last.
  const values = request.headersDistinct.authorization ?? [];
  must(values.length <= 1, "more than one Authorization header");
  // The scheme's name is case-insensitive (RFC 9110 §11.1), what follows it is not.
  return /^Bearer +(.*)$/i.exec(values[0] ?? "")?.[1];
}

/** Checks what stands before the signature and decides how it will be read. */
function checkHeader(token) {
  const header = decodeProtectedHeader(token);
  // A set with a single key would fit a token without `kid` too; which key signed must be said, not guessed.
  must(typeof header.kid === "string" && header.kid !== "", "no kid");
  // Both change how the rest is to be read. Sallyport uses neither, so whoever sends one wants to be misread.
  must(!("crit" in header) && !("b64" in header), "crit or b64 in the header");
}

/** Checks the claims that the library leaves alone or takes too lightly. */
function checkClaims(claims, audience) {
  // The library accepts a list that contains us; a token for several services could be replayed between them.
  must(claims.aud === audience, "aud is not exactly this service");
  // JSON allows 1e400 (infinite) and 1.5, and the library allows a token without `exp`, which never ends.
  for (const name of ["exp", "iat", "auth_time"]) must(Number.isSafeInteger(claims[name]), `${name} is not an integer`);
  must(claims.exp - claims.iat <= MAX_LIFETIME_SECONDS, "lives too long");
  // `sub` is whose rights these are; `sid` and `jti` are what a list of ended sessions or spent tokens goes by.
  for (const name of ["sub", "sid", "jti"]) must(typeof claims[name] === "string" && claims[name] !== "", `no ${name}`);
  // How the user signed in decides what the token is good for, so a token that does not say is good for nothing.
  must(typeof claims.acr === "string" && Array.isArray(claims.amr), "no acr or amr");
  // Bound to a key of its holder (RFC 9449): as a plain bearer token it was stolen or is being misused.
  must(!("cnf" in claims), "bound to a key");
}

/** Returns the claims of a good token; throws for anything else, `KeysUnavailable` when it could not be decided. */
async function verifyAccessToken(token, { issuer, audience, keys }) {
  must(token.length <= MAX_TOKEN_LENGTH && COMPACT_ES256.test(token), "not a compact ES256 token");
  checkHeader(token);
  const { payload } = await jwtVerify(token, keys, {
    // Exactly one issuer, one algorithm, one kind of token. Without the list, `alg` in the token would choose the
    // check; without `typ`, another kind of token signed by the same issuer could pass for an access token.
    issuer,
    audience,
    algorithms: ["ES256"],
    typ: "at+jwt",
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    // Also makes `iat` required and refuses one that lies in the future.
    maxTokenAge: MAX_LIFETIME_SECONDS,
  });
  checkClaims(payload, audience);
  return payload;
}

/** Finds keys by `kid` in the issuer's published set and nowhere else: `jku`, `x5u` and `jwk` of a token are not read. */
function publishedKeys(jwksUrl) {
  // As long as the issuer says; the library would keep a key that was dropped for ten minutes.
  const find = createRemoteJWKSet(new URL(jwksUrl), { cacheMaxAge: 300_000 });
  return async (header, token) => {
    try {
      return await find(header, token);
    } catch (error) {
      if (error.code === "ERR_JWKS_NO_MATCHING_KEY") throw error;
      throw new KeysUnavailable("the key set did not answer", { cause: error });
    }
  };
}

/** Whoever can change the key set on its way here can sign tokens, so it comes over TLS or from this machine. */
function requireSafeUrl(url) {
  const { protocol, hostname } = new URL(url);
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  if (protocol !== "https:" && !(protocol === "http:" && local)) throw new TypeError(`not a safe key set URL: ${url}`);
}

function send(response, status, body, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store", ...headers });
  response.end(JSON.stringify(body));
}

/** RFC 6750 §3: a client that sent no token learns what is wanted, one that sent a bad token never learns why it is bad. */
function sendUnauthorized(response, sentToken) {
  const challenge = sentToken ? 'Bearer realm="example", error="invalid_token"' : 'Bearer realm="example"';
  send(response, 401, { error: sentToken ? "invalid_token" : "unauthorized" }, { "WWW-Authenticate": challenge });
}

/** `GET /me`: what the token says about its bearer. */
async function answerMe(request, response, service) {
  try {
    const token = bearerToken(request);
    if (token === undefined) return sendUnauthorized(response, false);
    const { sub, acr, amr, auth_time, sid } = await verifyAccessToken(token, service);
    send(response, 200, { sub, acr, amr, auth_time, sid });
  } catch (error) {
    service.log(`refused: ${error.message}`);
    // Everything but a silent key set counts against the token: a fault in these checks must not open the door.
    if (error instanceof KeysUnavailable) send(response, 503, { error: "unavailable" }, { "Retry-After": "5" });
    else sendUnauthorized(response, true);
  }
}

/**
 * A Node HTTP server, not listening yet.
 *
 * @param {object} options
 * @param {string} options.issuer the only `iss` that is trusted, compared as text
 * @param {string} [options.audience] the name of this service, the only `aud` that is accepted; default: the issuer
 * @param {string} [options.jwksUrl] where the issuer's keys are; default: `<issuer>/.well-known/jwks.json`
 * @param {(line: string) => void} [options.log] hears why a token was refused; never hears the token
 * @throws {TypeError} when the key set would come over an open network
 */
export function createServer({
  issuer,
  audience = issuer,
  jwksUrl = `${issuer}/.well-known/jwks.json`,
  log = () => {},
}) {
  requireSafeUrl(jwksUrl);
  const service = { issuer, audience, keys: publishedKeys(jwksUrl), log };
  // Node itself answers 431 to headers over 16 KiB, before they are in memory as a token.
  return createHttpServer((request, response) => {
    const [path] = request.url.split("?");
    if (path !== "/me") send(response, 404, { error: "not_found" });
    else if (request.method !== "GET") send(response, 405, { error: "method_not_allowed" }, { Allow: "GET" });
    else answerMe(request, response, service);
  });
}

/** Runs the service as the environment says. */
function main({ ISSUER, AUDIENCE, JWKS_URL, PORT = "8080" }) {
  if (!ISSUER) {
    console.error("ISSUER is required: the address of the Sallyport whose tokens this service trusts.");
    process.exit(1);
  }
  // `||`, not a default: a variable that is set but empty means "as usual", never "the empty audience".
  const settings = { issuer: ISSUER, audience: AUDIENCE || undefined, jwksUrl: JWKS_URL || undefined };
  const server = createServer({ ...settings, log: console.error });
  server.listen(Number(PORT), "localhost", () => {
    console.log(`listening on http://localhost:${server.address().port}`);
  });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main(process.env);
