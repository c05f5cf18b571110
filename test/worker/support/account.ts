import { runInDurableObject } from "cloudflare:test";
import { AccountStore, type Guard } from "../../../src/account/account-store.ts";
import { accountOf, type Person } from "../../support/in-worker.ts";

/** What the account remembers. */
export function guardOf(person: Person): Promise<Guard> {
  return runInDurableObject(accountOf(person), (_, state) => new AccountStore(state.storage.sql).guard());
}

/** Makes the account remember something else. */
export function changeGuard(person: Person, change: (guard: Guard) => void): Promise<void> {
  return runInDurableObject(accountOf(person), (_, state) => {
    const store = new AccountStore(state.storage.sql);
    const guard = store.guard();
    change(guard);
    store.saveGuard(guard);
  });
}

/** The sessions that the account has, the oldest first. */
export function sessionIdsOf(person: Person): Promise<string[]> {
  return runInDurableObject(accountOf(person), (_, state) =>
    new AccountStore(state.storage.sql).sessions().map(({ id }) => id),
  );
}
