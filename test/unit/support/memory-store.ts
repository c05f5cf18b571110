import { DatabaseSync } from "node:sqlite";
import { AccountStore, type Guard, type StoreOwner } from "../../../src/account/account-store.ts";
import type { Factor } from "../../../src/account/factors.ts";
import type { Session } from "../../../src/account/sessions.ts";

/** What an account is made of before a test begins. Guard members that are not named are empty. */
export interface StoredAccount {
  guard?: Partial<Guard>;
  factors?: Factor[];
  sessions?: Session[];
}

/** The account's own storage over SQLite in memory, with as much of `SqlStorage` as it uses. */
export function storeWith(
  { guard = {}, factors = [], sessions = [] }: StoredAccount = {},
  owner?: StoreOwner,
): AccountStore {
  const store = new AccountStore(memorySql(), owner);
  store.saveGuard({ ...store.guard(), passwordVersion: 1, epoch: 1, ...guard });
  for (const factor of factors) store.saveFactor(factor);
  for (const session of sessions) store.saveSession(session);
  return store;
}

function memorySql(): SqlStorage {
  const database = new DatabaseSync(":memory:");
  const exec = (query: string, ...bindings: string[]) => {
    // Parameters with a number have names here: `?1`.
    const named = bindings.map((value, index): [string, string] => [`?${index + 1}`, value]);
    const statement = database.prepare(query);
    const rows = query.includes("?1") ? statement.all(Object.fromEntries(named)) : statement.all(...bindings);
    return { toArray: () => rows };
  };
  return { exec } as unknown as SqlStorage;
}
