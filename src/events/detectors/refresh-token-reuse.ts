import type { StoredEvent } from "../event-store.ts";
import type { Detector, Finding } from "./detector.ts";
import { Draft, type Kept, type Table } from "./kept.ts";
import { KEPT, REUSE_WINDOW_MS, REUSED_TOKENS } from "./thresholds.ts";
import { inOrder } from "./tries.ts";

interface Reused extends Kept {
  at: number[];
}

export interface Reuse {
  accounts: Table<Reused>;
}

/** A refresh token that its owner has replaced long ago is used again: somebody holds a copy of a session (RFC 9700 §4.14). */
export const refreshTokenReuse: Detector<Reuse> = {
  pattern: "refresh_token_reuse",
  empty: { accounts: {} },
  step(before, events, now) {
    const accounts = new Draft(before.accounts, now, REUSE_WINDOW_MS);
    for (const event of inOrder(events, now).filter(isReuse)) {
      const row = accounts.open(event.account ?? "", { at: [] });
      row.at = [...row.at, event.at].slice(-KEPT.timesOfSource);
    }
    const state = { accounts: accounts.close(2 * KEPT.reuseAccounts, () => 1) };
    return { state, findings: Object.entries(state.accounts).flatMap(findingsOf) };
  },
};

function isReuse({ kind, reason, account }: StoredEvent): boolean {
  return kind === "authn_token_reuse" && reason === "refresh_token_reused" && account !== undefined;
}

function findingsOf([account, { at }]: [string, Reused]): Finding[] {
  if (at.length < REUSED_TOKENS) return [];
  const seen = { firstAt: Math.min(...at), lastAt: Math.max(...at), tries: at.length, addresses: 1, sources: 1 };
  return [{ pattern: "refresh_token_reuse", subject: `account:${account}`, severity: "high", ...seen }];
}
