/** RFC 5890 §2.3.2.1: what marks a label that stands for a Unicode one. */
const PREFIX = "xn--";

/**
 * Whether a label (lower case, of a domain, ASCII) is the one way to write its name: any that does not claim to stand
 * for a Unicode label, and of those that do the one that the Unicode label itself would become. Others decode to
 * something that IDNA maps, forbids or cannot read, and what they name depends on who reads them.
 */
export function isCanonicalLabel(label: string): boolean {
  if (!label.startsWith(PREFIX)) return true;
  const url = `http://${decodePunycode(label.slice(PREFIX.length)) ?? ""}.example`;
  return URL.canParse(url) && new URL(url).host === `${label}.example`;
}

/** RFC 3492 §5. */
const BASE = 36;
const [T_MIN, T_MAX, SKEW, DAMP, FIRST_BIAS, FIRST_CODE_POINT] = [1, 26, 38, 700, 72, 128];
const DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789";

/** The text of a Punycode string (RFC 3492 §6.2), or nothing where it is none. At most 59 characters, so never slow. */
function decodePunycode(encoded: string): string | undefined {
  const split = encoded.lastIndexOf("-");
  const text = Array.from(encoded.slice(0, Math.max(0, split)));
  let [codePoint, index, bias] = [FIRST_CODE_POINT, 0, FIRST_BIAS];
  for (let at = split + 1; at < encoded.length; ) {
    const read = readNumber(encoded, at, bias);
    if (!read) return undefined;
    index += read.value;
    const length = text.length + 1;
    bias = adapt(read.value, length, at === split + 1);
    codePoint += Math.floor(index / length);
    index %= length;
    if (codePoint > 0x10ffff) return undefined;
    text.splice(index, 0, String.fromCodePoint(codePoint));
    index += 1;
    at = read.next;
  }
  return text.join("");
}

/** A generalized variable-length integer (RFC 3492 §3.3) that begins at `start`. */
function readNumber(encoded: string, start: number, bias: number): { value: number; next: number } | undefined {
  let [value, weight, position] = [0, 1, BASE];
  for (let at = start; at < encoded.length; at += 1) {
    const digit = DIGITS.indexOf(encoded[at] ?? "");
    value += digit * weight;
    if (digit < 0 || value > Number.MAX_SAFE_INTEGER) return undefined;
    const threshold = Math.min(T_MAX, Math.max(T_MIN, position - bias));
    if (digit < threshold) return { value, next: at + 1 };
    weight *= BASE - threshold;
    position += BASE;
  }
  return undefined;
}

function adapt(value: number, length: number, isFirst: boolean): number {
  let delta = Math.floor(value / (isFirst ? DAMP : 2));
  delta += Math.floor(delta / length);
  let bias = 0;
  for (; delta > ((BASE - T_MIN) * T_MAX) / 2; bias += BASE) delta = Math.floor(delta / (BASE - T_MIN));
  return bias + Math.floor(((BASE - T_MIN + 1) * delta) / (delta + SKEW));
}
