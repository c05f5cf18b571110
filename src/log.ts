/** Longer values are cut: a log line is for reading. */
const VALUE_MAX = 500;

/** Writes one line of JSON. Only printable ASCII leaves, so that no value can draw lines or reverse text in a log. */
export function logLine(fields: Record<string, unknown>): void {
  const cut = (_: string, value: unknown) => (typeof value === "string" ? value.slice(0, VALUE_MAX) : value);
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  console.log(JSON.stringify(fields, cut).replace(/[^\x20-\x7e]/g, escaped));
}
