// Imports nothing: what is published for services reads tokens with it.

/** Depth and members of everything that is parsed here, bodies and tokens alike: they stop parser abuse (ASVS 15.2.2). */
export const JSON_MAX_DEPTH = 8;
export const JSON_MAX_MEMBERS = 64;

/** What a scan found wrong with a JSON text before it was parsed. */
export type JsonDefect = "duplicate_member" | "too_deep" | "too_many_members" | "not_json";

/**
 * Parses JSON strictly. `JSON.parse` keeps the last of two members with one name where another parser keeps the first,
 * and follows any depth: so a scan over the text comes first and refuses duplicates, depth and width.
 */
export function parseStrictJson(text: string): { value: unknown } | JsonDefect {
  const defect = scan(text);
  if (defect) return defect;
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return "not_json";
  }
}

/**
 * Looks at strings and brackets alone; grammar is left to the parser. A string is a member name when a colon follows
 * it. `open` holds the names of each object around the position, or nothing for an array.
 */
function scan(text: string): JsonDefect | undefined {
  const open: (Set<string> | undefined)[] = [];
  let members = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === "{" || character === "[") {
      open.push(character === "{" ? new Set() : undefined);
      if (open.length > JSON_MAX_DEPTH) return "too_deep";
    } else if (character === "}" || character === "]") {
      open.pop();
    } else if (character === '"') {
      const end = endOfString(text, at);
      if (end === undefined) return "not_json";
      if (isFollowedByColon(text, end)) {
        const name = nameOf(text.slice(at, end));
        const names = open.at(-1);
        members += 1;
        if (name === undefined || !names) return "not_json";
        if (names.has(name)) return "duplicate_member";
        if (members > JSON_MAX_MEMBERS) return "too_many_members";
        names.add(name);
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** The index after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number | undefined {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return undefined;
}

function isFollowedByColon(text: string, end: number): boolean {
  let at = end;
  while (at < text.length && " \t\r\n".includes(text[at] ?? "")) at += 1;
  return text[at] === ":";
}

/** The name as the parser will see it: two spellings of one name are one name. */
function nameOf(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}
