import { env } from "cloudflare:workers";
import type { KeyRingBindings } from "../../src/keys/key-ring-store.ts";

/** The database, where some time passes between a read and what follows it. `mayGo` says how much. */
export function slowlyRead(mayGo: () => Promise<unknown>): KeyRingBindings {
  const prepare = (query: string) => {
    const statement = env.DB.prepare(query);
    const first = async () => {
      const row = await statement.first();
      await mayGo();
      return row;
    };
    return query.startsWith("SELECT") ? new Proxy(statement, readingFirst(first)) : statement;
  };
  return { ...env, DB: { prepare, batch: env.DB.batch.bind(env.DB) } as unknown as D1Database };
}

/** The database, where something happens once between the first read and what follows it. */
export function afterFirstRead(happens: () => Promise<unknown>): KeyRingBindings {
  let isFirst = true;
  return slowlyRead(async () => {
    if (!isFirst) return;
    isFirst = false;
    await happens();
  });
}

/** Waits until so many have called it. */
export function arrivalOf(count: number): () => Promise<void> {
  const all = Promise.withResolvers<void>();
  let arrived = 0;
  return () => {
    arrived += 1;
    if (arrived === count) all.resolve();
    return all.promise;
  };
}

function readingFirst(first: () => Promise<unknown>): ProxyHandler<D1PreparedStatement> {
  return { get: (statement, name) => (name === "first" ? first : Reflect.get(statement, name)) };
}
