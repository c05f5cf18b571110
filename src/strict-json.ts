// Imports nothing: what is published for services reads tokens with it.

/** Depth and members of everything that is parsed here, bodies and tokens alike: they stop parser abuse (ASVS 15.2.2). */
export const JSON_MAX_DEPTH = 8;
export const JSON_MAX_MEMBERS = 64;

const CODE = {
  ...{ tab: 9, lineFeed: 10, return: 13, space: 32, quote: 34, colon: 58 },
  ...{ openBracket: 91, backslash: 92, closeBracket: 93, openBrace: 123, closeBrace: 125 },
} as const;

/** What a scan found wrong with a JSON text before it was parsed. */
export type JsonDefect = "duplicate_member" | "too_deep" | "too_many_members" | "not_json";

/**
 * Parses JSON strictly. `JSON.parse` keeps the last of two members with one name where another parser keeps the first,
 * and follows any depth: so a scan over the text comes first and refuses duplicates, depth and width.
 */
export function parseStrictJson(text: string, { maxMembers = JSON_MAX_MEMBERS } = {}): { value: unknown } | JsonDefect {
  const defect = scan(text, maxMembers);
  if (defect) return defect;
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return "not_json";
  }
}

/**
 * Looks at strings and brackets alone; grammar is left to the parser. A string is a member name when a colon follows
 * it. `open` holds the names of each object around the position, or nothing for an array. Character codes and
 * `indexOf`, because this runs over every token that anybody sends, and comparing texts takes three times as long.
 */
function scan(text: string, maxMembers: number): JsonDefect | undefined {
  const open: (Set<string> | undefined)[] = [];
  let members = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === CODE.openBrace || code === CODE.openBracket) {
      open.push(code === CODE.openBrace ? new Set() : undefined);
      if (open.length > JSON_MAX_DEPTH) return "too_deep";
    } else if (code === CODE.closeBrace || code === CODE.closeBracket) {
      open.pop();
    } else if (code === CODE.quote) {
      const end = endOfString(text, at);
      // Two strings with nothing between them are no JSON, and a megabyte of them would be work.
      if (end === undefined || text.charCodeAt(end) === CODE.quote) return "not_json";
      if (isFollowedByColon(text, end)) {
        const name = nameOf(text.slice(at, end));
        const names = open.at(-1);
        members += 1;
        if (name === undefined || !names) return "not_json";
        if (names.has(name)) return "duplicate_member";
        if (members > maxMembers) return "too_many_members";
        names.add(name);
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** The index after the closing quote of the string that opens at `start`: the next quote that is not escaped. */
function endOfString(text: string, start: number): number | undefined {
  for (let at = start + 1; ; at += 1) {
    const quote = text.indexOf('"', at);
    if (quote === -1) return undefined;
    at = quote;
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === CODE.backslash) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
  }
}

function isFollowedByColon(text: string, end: number): boolean {
  let at = end;
  let code = text.charCodeAt(at);
  while (code === CODE.space || code === CODE.tab || code === CODE.return || code === CODE.lineFeed) {
    at += 1;
    code = text.charCodeAt(at);
  }
  return code === CODE.colon;
}

/** The name as the parser will see it: two spellings of one name are one name. */
function nameOf(literal: string): string | undefined {
  if (!literal.includes("\\")) return literal.slice(1, -1);
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}
