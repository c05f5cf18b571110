/** What happens to a statement: nothing; it fails before it is executed; or after it, when its answer is lost. */
type Fate = "done" | "refused" | "unanswered";

/**
 * A database of which one statement in three fails: of each three one, and nobody knows which. By turns it fails before
 * and after it has written.
 */
export function failingOneInThree(db: D1Database): D1Database {
  const fates: Fate[] = [];
  let next: Fate = Math.random() < 0.5 ? "refused" : "unanswered";
  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    if (fates.length === 0) {
      fates.push("done", "done");
      fates.splice(Math.floor(Math.random() * 3), 0, next);
      next = next === "refused" ? "unanswered" : "refused";
    }
    const fate = fates.shift();
    if (fate === "done") return work();
    if (fate === "unanswered") await work();
    throw new Error("D1_ERROR: the database does not answer");
  };
  const failing = (inner: D1PreparedStatement): object => ({
    bind: (...values: unknown[]) => failing(inner.bind(...values)),
    run: () => attempt(() => inner.run()),
    all: () => attempt(() => inner.all()),
    first: () => attempt(() => inner.first()),
  });
  return { prepare: (query: string) => failing(db.prepare(query)) } as unknown as D1Database;
}
