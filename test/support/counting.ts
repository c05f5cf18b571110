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
}

/**
 * Wraps the storage bindings, so that every call leaves a mark at its beginning and its end. A tick counter stands in
 * for a clock: what counts is which call waited for which.
 */
export function countingBindings(): Counted {
  const calls: StorageCall[] = [];
  let tick = 0;
  const track = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const call = { name, start: ++tick, end: Number.POSITIVE_INFINITY };
    calls.push(call);
    try {
      return await work();
    } finally {
      call.end = ++tick;
    }
  };
  const bindings = {
    ...env,
    DB: wrapDatabase(env.DB, track),
    KV: wrapMethods(env.KV, "kv", track),
    ACCOUNTS: wrapNamespace(env.ACCOUNTS, "account", track),
    GATES: wrapNamespace(env.GATES, "gate", track),
  };
  return { bindings, names: () => calls.map(({ name }) => name), sequential: () => longestChain(calls) };
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

const TERMINAL = new Set(["first", "run", "all", "raw"]);

function wrapDatabase(db: D1Database, track: Track): object {
  const unwrapped = new WeakMap<object, D1PreparedStatement>();
  const wrap = (statement: D1PreparedStatement): object => {
    const proxy = new Proxy(statement, {
      get(object, property) {
        const member: unknown = Reflect.get(object, property);
        if (typeof member !== "function" || typeof property !== "string") return member;
        return (...parameters: unknown[]) => {
          const run = () => Reflect.apply(member, object, parameters) as unknown;
          return TERMINAL.has(property)
            ? track(`d1.${property}`, async () => run())
            : wrap(run() as D1PreparedStatement);
        };
      },
    });
    unwrapped.set(proxy, statement);
    return proxy;
  };
  return {
    prepare: (query: string) => wrap(db.prepare(query)),
    batch: (statements: object[]) =>
      track("d1.batch", () => db.batch(statements.map((one) => unwrapped.get(one) ?? (one as D1PreparedStatement)))),
  };
}
