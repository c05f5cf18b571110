/** What is kept about a subject. `seen`: when something was last added, by the clock of the steps and not of the events. */
export interface Kept {
  seen: number;
}

export type Table<Row extends Kept> = Record<string, Row>;

/**
 * A table while a step changes it. Rows are copied when they are first touched, so that the table it was made of stays as
 * it was. Subjects that nothing was added to for `quietMs` are gone; a clock that was ahead keeps none of them longer.
 */
export class Draft<Row extends Kept> {
  #rows: Table<Row>;
  #isCopy = false;
  #own = new Set<string>();
  #now: number;

  constructor(table: Table<Row>, now: number, quietMs: number) {
    this.#now = now;
    this.#rows = table;
    for (const key in table) {
      const row = table[key] as Row;
      if (row.seen > now) this.#mine()[key] = { ...row, seen: now };
      else if (now - row.seen > quietMs) this.drop(key);
    }
  }

  /** A row that may be changed, or nothing. */
  find(key: string): Row | undefined {
    const row = this.#rows[key];
    if (!row || this.#own.has(key)) return row;
    this.#own.add(key);
    const copy = copyOf(row);
    this.#mine()[key] = copy;
    return copy;
  }

  /** A row that may be changed, which something is being added to. */
  open(key: string, empty: Omit<Row, "seen">): Row {
    const row = this.find(key) ?? ({ ...copyOf(empty), seen: this.#now } as Row);
    this.#own.add(key);
    row.seen = this.#now;
    this.#mine()[key] = row;
    return row;
  }

  drop(key: string): void {
    if (key in this.#rows) delete this.#mine()[key];
  }

  /** What is kept: rows of `limit` items at most, the heaviest first, and of equals the newest. */
  close(limit: number, itemsOf: (row: Row) => number): Table<Row> {
    if (!this.#isCopy) return this.#rows;
    const rows = Object.entries(this.#rows).map(([key, row]) => ({ key, row, items: itemsOf(row) + 1 }));
    let total = rows.reduce((sum, { items }) => sum + items, 0);
    if (total <= limit) return this.#rows;
    rows.sort((a, b) => a.items - b.items || a.row.seen - b.row.seen || (a.key < b.key ? -1 : 1));
    for (const { key, items } of rows) {
      if (total <= limit) break;
      delete this.#rows[key];
      total -= items;
    }
    return this.#rows;
  }

  #mine(): Table<Row> {
    if (!this.#isCopy) this.#rows = { ...this.#rows };
    this.#isCopy = true;
    return this.#rows;
  }
}

/** A copy of plain JSON. */
function copyOf<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(copyOf) as Value;
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) copy[key] = copyOf(member);
  return copy as Value;
}

/** The newest `limit` members of a record. */
export function newest<Value>(record: Record<string, Value>, limit: number, atOf: (value: Value) => number) {
  const entries = Object.entries(record);
  if (entries.length <= limit) return record;
  if (entries.length === limit + 1) {
    // One too many, as after every addition to a full record: no need to sort for that.
    const [oldest] = entries.reduce((a, b) =>
      atOf(b[1]) < atOf(a[1]) || (atOf(b[1]) === atOf(a[1]) && b[0] > a[0]) ? b : a,
    );
    const { [oldest]: _, ...others } = record;
    return others;
  }
  return Object.fromEntries(entries.sort(([a, x], [b, y]) => atOf(y) - atOf(x) || (a < b ? -1 : 1)).slice(0, limit));
}
