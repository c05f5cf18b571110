import type { Activated } from "../account/activation.ts";
import type { FactorView } from "../account/factors.ts";
import type { Service, Visit } from "../service.ts";
import { tellOfSession } from "./first-door.ts";
import { type IssuedTokens, issueTokens } from "./issue.ts";
import { tellOwner } from "./notices.ts";

/** A factor that counts from now on. */
export interface NewFactor {
  kind: "active";
  factor: FactorView;
  /** Shown once, with the account's first factor. */
  recoveryCodes?: string[] | undefined;
  /** Of the session that an enrolment token has opened. */
  tokens?: IssuedTokens;
}

/** Tells the owner of a new factor, and signs what it opened. */
export async function tellOfNewFactor(
  service: Service,
  visit: Visit,
  accountId: string,
  { factor, recoveryCodes, session }: Activated,
): Promise<NewFactor> {
  tellOwner(service, visit, accountId, { notice: "factor_added", kind: factor.kind, label: factor.label });
  const added: NewFactor = { kind: "active", factor, recoveryCodes };
  if (!session) return added;
  tellOfSession(service, session.emailDigest);
  return { ...added, tokens: await issueTokens(service, visit, accountId, session) };
}
