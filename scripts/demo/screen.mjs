// What the demo writes. Everything that could open an account is shortened before it reaches the screen: people
// paste such output into tickets.

const colourful = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code) => (text) => (colourful ? `\x1b[${code}m${text}\x1b[0m` : text);
const bold = paint(1);
const dim = paint(2);
const red = paint(31);
const green = paint(32);
const cyan = paint(36);

/** Members whose whole value is a secret. */
const SECRET_MEMBERS = new Set(["password", "token", "secret", "recovery_codes"]);

/** Any text this long without a space or a slash is a token, wherever it stands (ids are 36 characters). */
const TOKEN = /[A-Za-z0-9._~-]{40,}/g;

/** The first 20 characters of a secret; of a short one the first third, so that enough stays hidden. */
function shorten(secret) {
  return `${secret.slice(0, Math.min(20, Math.floor(secret.length / 3)))}…`;
}

function redactText(text) {
  return text.replace(/(?<=[?&]secret=)[^&\s]+/g, shorten).replace(TOKEN, shorten);
}

/** A copy of a JSON value that may be shown: secrets shortened, pictures and markup replaced by their size. */
export function redact(value, name = "") {
  if (Array.isArray(value)) return value.map((item) => redact(item, name));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redact(item, key)]));
  }
  if (typeof value !== "string") return value;
  if (name === "qr_svg") return `(a QR code, ${value.length} bytes of SVG)`;
  if (name === "html") return `(the same as HTML, ${value.length} bytes)`;
  return SECRET_MEMBERS.has(name) || name.endsWith("_token") ? shorten(value) : redactText(value);
}

function indent(text) {
  return text.replace(/^/gm, "    ");
}

function printBody(body) {
  if (body !== undefined) console.log(dim(indent(JSON.stringify(redact(body), null, 2))));
}

let steps = 0;

/** Opens a step: one plain sentence that says what the next request shows. */
export function printStep(sentence) {
  steps += 1;
  console.log(`\n${bold(`${steps}. ${sentence}`)}\n`);
}

/** A request as it is sent; `token` is what the Authorization header carries. */
export function printRequest(method, target, token, body) {
  console.log(cyan(indent(`${method} ${target}`)));
  if (token) console.log(dim(indent(`Authorization: Bearer ${shorten(token)}`)));
  printBody(body);
}

/** An answer: its status, how it wants to be authenticated, and its body. */
export function printAnswer(status, wwwAuthenticate, body) {
  console.log(indent(`→ ${status < 400 ? green(status) : red(status)}`));
  if (wwwAuthenticate) console.log(dim(indent(`WWW-Authenticate: ${wwwAuthenticate}`)));
  printBody(body);
}

/** Something that was expected and has been found to hold. */
export function printProof(text) {
  console.log(indent(green(`✓ ${text}`)));
}

/** Why the demo cannot go on. */
export function printFailure(text) {
  console.error(`\n${red(`✗ ${text}`)}`);
}

/** A closing paragraph under a heading. */
export function printSummary(heading, lines) {
  console.log(`\n${bold(heading)}\n`);
  for (const line of lines) console.log(line && `  ${line}`);
}
