/** One statement as it was run: what it asked, with what, and what it cost. */
export interface Asked {
  query: string;
  bound: unknown[];
  rowsRead: number;
  rowsWritten: number;
}

/** A statement of the real database and what it was made of. */
interface Made {
  query: string;
  bound: unknown[];
  statement: D1PreparedStatement;
}

const made = new WeakMap<object, Made>();

/** A database that does the same and keeps what each statement cost, as D1 bills it. */
export function counted(db: D1Database): { db: D1Database; asked: Asked[] } {
  const asked: Asked[] = [];
  const note = <T>({ query, bound }: Made, result: D1Result<T>): D1Result<T> => {
    const { rows_read: rowsRead, rows_written: rowsWritten } = result.meta;
    asked.push({ query, bound, rowsRead, rowsWritten });
    return result;
  };
  const wrap = (query: string, bound: unknown[], statement: D1PreparedStatement): D1PreparedStatement => {
    const own: Made = { query, bound, statement };
    const wrapped = {
      bind: (...values: unknown[]) => wrap(query, values, statement.bind(...values)),
      all: async () => note(own, await statement.all()),
      run: async () => note(own, await statement.run()),
      async first(column?: string) {
        const [row] = note(own, await statement.all<Record<string, unknown>>()).results;
        return column === undefined ? (row ?? null) : (row?.[column] ?? null);
      },
    } as unknown as D1PreparedStatement;
    made.set(wrapped, own);
    return wrapped;
  };
  const counting = {
    prepare: (query: string) => wrap(query, [], db.prepare(query)),
    async batch(statements: D1PreparedStatement[]) {
      const all = statements.map((statement) => made.get(statement) as Made);
      const results = await db.batch(all.map(({ statement }) => statement));
      return results.map((result, index) => note(all[index] as Made, result));
    },
  } as unknown as D1Database;
  return { db: counting, asked };
}

/** How the database would go about a statement, step by step (EXPLAIN QUERY PLAN). */
export async function planOf(db: D1Database, { query, bound }: Pick<Asked, "query" | "bound">): Promise<string[]> {
  const { results } = await db
    .prepare(`EXPLAIN QUERY PLAN ${query}`)
    .bind(...bound)
    .all<{ detail: string }>();
  return results.map(({ detail }) => detail);
}
