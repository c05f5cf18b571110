/** A base64url text with each single bit of its bytes flipped in turn: all the nearest forgeries of a value. */
export function bitFlipsOf(text: string): string[] {
  const bytes = Buffer.from(text, "base64url");
  return Array.from({ length: bytes.length * 8 }, (_, bit) => {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return changed.toString("base64url");
  });
}

/** Ways to spell or change a base64url text that a strict reader refuses. */
export const MISSPELLINGS: [name: string, change: (text: string) => string][] = [
  ["padding", (text) => `${text}=`],
  ["a line break", (text) => `${text}\n`],
  ["a space in front", (text) => ` ${text}`],
  ["a space inside", (text) => `${text.slice(0, 20)} ${text.slice(20)}`],
  ["a space in place of a character", (text) => `${text.slice(0, 20)} ${text.slice(21)}`],
  ["a letter of plain base64", (text) => `${text.slice(0, 20)}+${text.slice(21)}`],
  ["three bytes less", (text) => text.slice(0, -4)],
  ["three bytes more", (text) => `${text}AAAA`],
  ["its letters in lower case", (text) => text.toLowerCase()],
  ["a megabyte behind it", (text) => text + "A".repeat(1_000_000)],
  ["nothing in its place", () => ""],
];
