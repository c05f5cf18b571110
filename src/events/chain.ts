import { createHash } from "node:crypto";

/** An event as it is stored, column by column: what is hashed. */
export interface StoredRow {
  seq: number;
  id: string;
  at: number;
  kind: string;
  account: string;
  source: string;
  routine: number;
  detail: string;
}

/** Where a chain has come to. */
export interface ChainHead {
  /** Number of the last page; 0: there is none yet. */
  page: number;
  /** `seq` of the last event that is linked. */
  seq: number;
  /** Hash of that page, 64 hexadecimal digits. */
  hash: string;
}

/** A page of the chain: some hundred events that follow each other, linked in one go. */
export interface ChainPage {
  /** That of the page before it, plus one. */
  number: number;
  first_seq: number;
  last_seq: number;
  /** Epoch milliseconds. No event in it has arrived later. */
  made_at: number;
  hash: string;
  /** Of the link of each event {@link PREFIX_DIGITS} digits, one after another. */
  prefixes: string;
}

/** Where every chain begins. */
export const GENESIS: ChainHead = { page: 0, seq: 0, hash: "0".repeat(64) };

/** 64 bits name a broken event; that nothing was changed at all is said by the whole hash of the page. */
export const PREFIX_DIGITS = 16;

/**
 * The canonical form of an event, of which its link is made: a JSON array (RFC 8259, no spaces) of its stored columns,
 * each as text, in this order: seq, id, at, kind, account, source, routine, detail. Numbers are decimal digits, `detail` is
 * the JSON text exactly as it is stored. In UTF-8.
 */
export function canonicalForm({ seq, id, at, kind, account, source, routine, detail }: StoredRow): string {
  return JSON.stringify([seq, id, at, kind, account, source, routine, detail].map(textOf));
}

/** Bytes that somebody has put in place of a number or a text (SQLite lets him) are a list, and not what they read like. */
function textOf(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/**
 * The link of an event to what stands before it: SHA-256 over the 32 bytes of the link before, which for the first event of
 * a page is the hash of the page before, and the event's canonical form.
 */
export function linkOf(before: string, row: StoredRow): string {
  return hashOf(before, canonicalForm(row));
}

/**
 * The hash of a page: SHA-256 over the link of its last event and the page's own facts, a JSON array as above of its
 * number, the seqs of its first and its last event, and when it was made.
 */
export function pageHash(
  lastLink: string,
  { number, first_seq, last_seq, made_at }: Omit<ChainPage, "hash" | "prefixes">,
): string {
  return hashOf(lastLink, JSON.stringify([number, first_seq, last_seq, made_at].map(String)));
}

/** Links events, in the order of their seqs and at least one, to a chain. `now` in epoch milliseconds. */
export function pageOf(head: ChainHead, rows: readonly StoredRow[], now: number): ChainPage {
  let link = head.hash;
  const links = rows.map((row) => {
    link = linkOf(link, row);
    return link;
  });
  const [first_seq = 0, last_seq = 0] = [rows[0]?.seq, rows.at(-1)?.seq];
  const facts = { number: head.page + 1, first_seq, last_seq, made_at: now };
  return { ...facts, hash: pageHash(link, facts), prefixes: links.map(prefixOf).join("") };
}

/** The chain after a page. */
export function headAfter({ number, last_seq, hash }: ChainPage): ChainHead {
  return { page: number, seq: last_seq, hash };
}

/** What a page keeps of a link. */
export function prefixOf(link: string): string {
  return link.slice(0, PREFIX_DIGITS);
}

function hashOf(before: string, text: string): string {
  return createHash("sha256").update(before, "hex").update(text, "utf8").digest("hex");
}
