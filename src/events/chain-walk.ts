import {
  type ChainHead,
  type ChainPage,
  headAfter,
  linkOf,
  PREFIX_DIGITS,
  pageOf,
  prefixOf,
  type StoredRow,
} from "./chain.ts";

/** The first place at which a chain does not hold. */
export interface Break {
  /**
   * `changed`: an event is not what was linked, or another stands in its place. `missing`: an event, a page or a signed row
   * is gone. `inserted`: an event or a page stands where nothing was linked. `order`: events or pages have changed places.
   * `page`: its events are right, but what the page says of itself is not. `signature`: a checkpoint that no key of this
   * service has signed, or that was signed about another chain. `stub`: the same of what retention has left behind.
   */
  what: "changed" | "missing" | "inserted" | "order" | "page" | "signature" | "stub";
  /** The event, where it is about one. */
  seq?: number;
  /** The page, where it is known. */
  page?: number;
  /** The checkpoint or the stub that does not hold. */
  number?: number;
}

/** Walks one page from where the chain stands. `rows`: the events from its first to its last seq, in their order. */
export function walkPage(head: ChainHead, page: ChainPage, rows: readonly StoredRow[]): ChainHead | Break {
  const { number, first_seq, last_seq } = page;
  if (number !== head.page + 1) return { what: "missing", page: head.page + 1 };
  if (first_seq !== head.seq + 1)
    return { what: first_seq > head.seq ? "missing" : "order", seq: head.seq + 1, page: number };
  const made = pageOf(head, rows, page.made_at);
  if (made.hash === page.hash && rows.length === last_seq - head.seq)
    return made.prefixes === page.prefixes ? headAfter(page) : { what: "page", seq: last_seq, page: number };
  return firstBreak(head, page, rows);
}

/** Where a page first says something else than its events, by what it keeps of each link. */
function firstBreak(head: ChainHead, page: ChainPage, rows: readonly StoredRow[]): Break {
  const { number, first_seq, last_seq } = page;
  const prefixes = prefixesOf(page);
  let link = head.hash;
  for (const [index, prefix] of prefixes.entries()) {
    const row = rows[index];
    const seq = first_seq + index;
    if (!row || row.seq !== seq) return { what: "missing", seq, page: number };
    const next = linkOf(link, row);
    if (prefixOf(next) !== prefix) return { what: whatHappened(link, rows, prefixes, index), seq, page: number };
    link = next;
  }
  const extra = rows[prefixes.length];
  if (extra) return { what: "inserted", seq: extra.seq, page: number };
  if (last_seq !== first_seq + prefixes.length - 1)
    return { what: "missing", seq: first_seq + prefixes.length, page: number };
  return { what: "page", seq: last_seq, page: number };
}

/** Whether a walk has ended at a break. */
export function isBreak(outcome: object): outcome is Break {
  return "what" in outcome;
}

function prefixesOf({ prefixes }: ChainPage): string[] {
  return String(prefixes).match(new RegExp(`.{1,${PREFIX_DIGITS}}`, "gs")) ?? [];
}

/**
 * An event that is not what was linked in its place may stand further back: then others were put in between, or changed
 * places with it.
 */
function whatHappened(
  link: string,
  rows: readonly StoredRow[],
  prefixes: readonly string[],
  index: number,
): "changed" | "inserted" | "order" {
  const seq = rows[index]?.seq ?? 0;
  const right = rows.findIndex((row) => prefixOf(linkOf(link, { ...row, seq })) === prefixes[index]);
  const [found, stranger] = [rows[right], rows[index]];
  if (!found || !stranger) return "changed";
  if (right > index + 1) return "order";
  const swapped = linkOf(linkOf(link, { ...found, seq }), { ...stranger, seq: seq + 1 });
  return prefixOf(swapped) === prefixes[index + 1] ? "order" : "inserted";
}
