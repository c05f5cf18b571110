import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { checkpointText, stubText } from "../../../src/events/attested.ts";
import {
  type ChainHead,
  type ChainPage,
  canonicalForm,
  GENESIS,
  headAfter,
  linkOf,
  PREFIX_DIGITS,
  pageOf,
  type StoredRow,
} from "../../../src/events/chain.ts";
import { isBreak, walkPage } from "../../../src/events/chain-walk.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");

function row(seq: number, change: Partial<StoredRow> = {}): StoredRow {
  const usual = { id: `e${seq}`, at: NOW + seq, kind: "authn_login_fail", account: "a1", source: "", routine: 0 };
  return { seq, ...usual, detail: '{"reason":"wrong_password"}', ...change };
}
const rows = (...seqs: number[]) => seqs.map((seq) => row(seq));
const sha256 = (...parts: (string | Buffer)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");

describe("the canonical form of an event", () => {
  it("is a JSON array of its columns as text, with the detail as it is stored", () => {
    expect(canonicalForm(row(7, { account: 'a"1', detail: '{"reason": "é"}' }))).toBe(
      `["7","e7","${NOW + 7}","authn_login_fail","a\\"1","","0","{\\"reason\\": \\"é\\"}"]`,
    );
  });

  it("is another one for any other event", () => {
    const forms = [
      row(1),
      row(2, { id: "e1", at: NOW + 1 }),
      row(1, { account: "a1,", source: "" }),
      row(1, { account: "", source: "a1" }),
      row(1, { account: 'a1","' }),
      row(1, { detail: '{"reason":"wrong_password" }' }),
      row(1, { routine: 1 }),
    ].map(canonicalForm);
    expect(new Set(forms).size).toBe(forms.length);
  });
});

describe("a page", () => {
  it("links each event to the one before it, and itself to the page before it", () => {
    const first = pageOf(GENESIS, rows(1, 2), NOW);
    const one = sha256(Buffer.alloc(32), canonicalForm(row(1)));
    const two = sha256(Buffer.from(one, "hex"), canonicalForm(row(2)));
    expect(linkOf(GENESIS.hash, row(1))).toBe(one);
    expect(first).toEqual({
      ...{ number: 1, first_seq: 1, last_seq: 2, made_at: NOW },
      hash: sha256(Buffer.from(two, "hex"), `["1","1","2","${NOW}"]`),
      prefixes: one.slice(0, 16) + two.slice(0, 16),
    });
    const second = pageOf(headAfter(first), rows(3), NOW);
    expect(second.prefixes).toBe(sha256(Buffer.from(first.hash, "hex"), canonicalForm(row(3))).slice(0, PREFIX_DIGITS));
    expect(second.number).toBe(2);
  });
});

describe("walking a page", () => {
  const head: ChainHead = headAfter(pageOf(GENESIS, rows(1, 2), NOW));
  const page = pageOf(head, rows(3, 4, 5, 6), NOW);
  const walk = (stored: StoredRow[], change: Partial<ChainPage> = {}, from = head) =>
    walkPage(from, { ...page, ...change }, stored);

  it("comes to its hash when nothing was changed", () => {
    expect(walk(rows(3, 4, 5, 6))).toEqual(headAfter(page));
  });

  it.each([
    { done: "a changed event", stored: [...rows(3), row(4, { kind: "x" }), ...rows(5, 6)], what: "changed", seq: 4 },
    { done: "a missing one", stored: rows(3, 5, 6), what: "missing", seq: 4 },
    { done: "none at all", stored: [], what: "missing", seq: 3 },
    { done: "one more at the end", stored: [...rows(3, 4, 5, 6), row(6.5)], what: "inserted", seq: 6.5 },
    {
      done: "one more in between, and the others moved on",
      stored: [row(3), row(4, { id: "x" }), row(5, { ...row(4), seq: 5 }), row(6, { ...row(5), seq: 6 })],
      ...{ what: "inserted", seq: 4 },
    },
    {
      done: "two changed over",
      stored: [row(3), row(4, { ...row(6), seq: 4 }), row(5), row(6, { ...row(4), seq: 6 })],
      ...{ what: "order", seq: 4 },
    },
    {
      done: "two neighbours changed over",
      stored: [row(3), row(4, { ...row(5), seq: 4 }), row(5, { ...row(4), seq: 5 }), row(6)],
      ...{ what: "order", seq: 4 },
    },
  ])("names $done", ({ stored, what, seq }) => {
    expect(walk(stored)).toEqual({ what, seq, page: 2 });
  });

  it("names a page that is not the next one, or says something else than what it links", () => {
    expect(walk([], { number: 3 })).toMatchObject({ what: "missing", page: 2 });
    expect(walk([], { first_seq: 4 })).toMatchObject({ what: "missing", seq: 3 });
    expect(walk([], { first_seq: 2 })).toMatchObject({ what: "order", seq: 3 });
    const stored = rows(3, 4, 5, 6);
    expect(walk(stored, { made_at: NOW - 1 })).toMatchObject({ what: "page", page: 2 });
    expect(walk(stored, { hash: page.hash.replace(/.$/, "x") })).toMatchObject({ what: "page", page: 2 });
    expect(walk(stored, { last_seq: 9 })).toMatchObject({ what: "missing", seq: 7 });
    expect(walk(stored, { prefixes: "" })).toMatchObject({ what: "page", page: 2 });
    expect(walk(rows(3, 4, 5), { prefixes: "" })).toMatchObject({ what: "inserted", seq: 3 });
    expect(isBreak(walk(stored, {}, { ...head, hash: "0".repeat(64) }))).toBe(true);
  });
});

describe("what is signed", () => {
  it("is of one kind: a checkpoint is no stub", () => {
    const facts = { number: 1, page: 2, last_seq: 3, hash: "ab", at: 5 };
    expect(checkpointText(facts)).toBe('["sallyport checkpoint","1","2","3","ab","5"]');
    expect(stubText({ ...facts, count: 4 })).toBe('["sallyport retention stub","1","2","3","ab","4","5"]');
  });
});
