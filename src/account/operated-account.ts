import type { Refusal } from "../refusal.ts";
import { AccountBase } from "./account-base.ts";
import type { Prepared, Verdict } from "./changes.ts";
import {
  type AccountOverview,
  type OperatorAct,
  overviewOf,
  prepareByOperator,
  resetByOperator,
  signOutEverybody,
  unlockAccount,
} from "./operator-acts.ts";

/** What operators do to an account. Whether they may has been asked before. As thin as the classes that extend it. */
export abstract class OperatedAccount extends AccountBase {
  /** What the account knows of itself, for operators. */
  overview(): AccountOverview {
    return overviewOf(this.store, Date.now());
  }

  /** Status or roles are about to change in the directory: everybody is signed out. */
  prepareByOperator(verdict: Verdict, kind: "status" | "roles", act: OperatorAct): Prepared | Refusal {
    return prepareByOperator(this.store, verdict, kind, act, Date.now());
  }

  /** Removes every factor on the word of operators. */
  resetFactors(verdict: Verdict, requestId: string, act: OperatorAct): { credentialIds: string[] } | Refusal {
    return resetByOperator(this.store, verdict, requestId, act, Date.now());
  }

  /** Ends every session, and answers when their ends are listed. */
  async signOutEverybody(act: OperatorAct): Promise<void> {
    signOutEverybody(this.store, act);
    await this.endsAreListed();
  }

  /** Forgives what went wrong in a row. */
  unlock(act: OperatorAct): void {
    unlockAccount(this.store, act);
  }
}
