import type { AccountStore } from "../../../src/account/account-store.ts";
import { type Committed, commitChange } from "../../../src/account/changes.ts";
import { prepareEmailChange, prepareEmailUndo } from "../../../src/account/email-changes.ts";
import { type Evidence, prove } from "../../../src/account/evidence.ts";
import { activeFactors } from "../../../src/account/factors.ts";
import { isRefusal, type Refusal } from "../../../src/refusal.ts";
import { NOW, session } from "./account-samples.ts";
import { busyAccount, verdict } from "./changing.ts";
import type { StoredAccount } from "./memory-store.ts";

/** An account whose address has been changed at `NOW`, with a session of whoever did that. Its undo is named `link`. */
export function takenOver({ guard = {}, ...account }: StoredAccount = {}): AccountStore {
  const life = { emailChange: { id: "link", expiresAt: NOW + 1 }, ...guard.life };
  const store = busyAccount({ ...account, guard: { ...guard, life } });
  const asked = prepareEmailChange(store, verdict(), "link", NOW);
  if (isRefusal(asked)) throw new Error(`the address does not change: ${asked.refused}`);
  commitChange(store, store.guard(), asked.key);
  store.saveSession(session({ passwordVersion: 2 }));
  return store;
}

/** The old address takes it back. */
export function takenBack(store: AccountStore, now = NOW + 3_600_000): Committed | Refusal {
  const asked = prepareEmailUndo(store, verdict(store.guard().passwordVersion, now), "link", now);
  return isRefusal(asked) ? asked : commitChange(store, store.guard(), asked.key);
}

/** Proves what the account can be asked for now, as an answer to a challenge does, and says what came of it. */
export function proveTo(store: AccountStore, evidence: Evidence, now = NOW): object {
  const guard = store.guard();
  const proven = prove(guard, activeFactors(store), evidence, now);
  store.saveGuard(guard);
  return proven;
}
