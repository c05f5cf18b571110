import { env } from "cloudflare:workers";

/** One call of a storage binding. */
interface StorageCall {
  name: string;
  start: number;
  end: number;
}

/** What a request did to storage. */
export interface Counted {
  bindings: object;
  /** Calls so far, by name. */
  names(): string[];
  /** The longest chain of calls of which each began after the one before had ended. */
  sequential(): number;
  /** Rows that D1 has written so far. */
  d1Rows(): number;
  /** Lets the calls go that were held back. */
  release(): void;
}

/**
 * Wraps the storage bindings, so that every call leaves a mark at its beginning and its end. A tick counter stands in
 * for a clock: what counts is which call waited for which. Calls of the names in `held` do not begin before they are
 * released: an answer that comes all the same has not waited for them.
 */
export function countingBindings(held: string[] = []): Counted {
  const calls: StorageCall[] = [];
  let tick = 0;
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const track = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    if (held.includes(name)) await released;
    const call = { name, start: ++tick, end: Number.POSITIVE_INFINITY };
    calls.push(call);
    try {
      return await work();
    } finally {
      call.end = ++tick;
    }
  };
  let d1Rows = 0;
  const countRows = ({ meta }: D1Result) => {
    d1Rows += meta.rows_written;
  };
  const bindings = {
    ...env,
    DB: wrapDatabase(env.DB, track, countRows),
    KV: wrapMethods(env.KV, "kv", track),
    ACCOUNTS: wrapNamespace(env.ACCOUNTS, "account", track),
    GATES: wrapNamespace(env.GATES, "gate", track),
  };
  const names = () => calls.map(({ name }) => name);
  return { bindings, names, sequential: () => longestChain(calls), d1Rows: () => d1Rows, release };
}

type Track = <T>(name: string, work: () => Promise<T>) => Promise<T>;

function longestChain(calls: StorageCall[]): number {
  const depths = new Map<StorageCall, number>();
  const byStart = calls.toSorted((a, b) => a.start - b.start);
  for (const call of byStart) {
    const before = byStart.filter((other) => other.end < call.start).map((other) => depths.get(other) ?? 0);
    depths.set(call, 1 + Math.max(0, ...before));
  }
  return Math.max(0, ...depths.values());
}

/** Every method of the target becomes a tracked call. `Reflect.apply`, since `.apply` would be an RPC name. */
function wrapMethods<T extends object>(target: T, name: string, track: Track): T {
  return new Proxy(target, {
    get(object, property) {
      const member: unknown = Reflect.get(object, property);
      if (typeof member !== "function" || typeof property !== "string") return member;
      return (...parameters: unknown[]) =>
        track(`${name}.${property}`, async () => (await Reflect.apply(member, object, parameters)) as unknown);
    },
  });
}

function wrapNamespace<T extends Rpc.DurableObjectBranded>(
  namespace: DurableObjectNamespace<T>,
  name: string,
  track: Track,
): object {
  return {
    getByName: (id: string, options: object) => wrapMethods(namespace.getByName(id, options), name, track),
  };
}

/** A statement's own methods run it; only `all` and `run` tell of the rows, so `first` is an `all` of which one row is kept. */
function wrapDatabase(db: D1Database, track: Track, countRows: (result: D1Result) => void): object {
  const unwrapped = new WeakMap<object, D1PreparedStatement>();
  const run = async (statement: D1PreparedStatement) => {
    const result = await statement.all<Record<string, unknown>>();
    countRows(result);
    return result;
  };
  const wrap = (statement: D1PreparedStatement): object => {
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      run: () => track("d1.run", () => run(statement)),
      all: () => track("d1.all", () => run(statement)),
      first: (column?: string) =>
        track("d1.first", async () => {
          const [row] = (await run(statement)).results;
          return column === undefined ? (row ?? null) : row?.[column];
        }),
    };
    unwrapped.set(wrapped, statement);
    return wrapped;
  };
  const batch = async (statements: object[]) => {
    const results = await db.batch(statements.map((one) => unwrapped.get(one) ?? (one as D1PreparedStatement)));
    for (const result of results) countRows(result);
    return results;
  };
  return {
    prepare: (query: string) => wrap(db.prepare(query)),
    batch: (statements: object[]) => track("d1.batch", () => batch(statements)),
  };
}
