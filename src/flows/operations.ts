import type { Operation } from "../directory/operations.ts";
import type { User } from "../directory/users.ts";
import { securityEvent } from "../events/security-event.ts";
import { makeImportKey } from "../keys/import-key.ts";
import { logLine } from "../log.ts";
import {
  APPROVAL_TTL_MS,
  IMPORT_KEY_TTL_MS,
  OPERATION_ATTEMPTS,
  OPERATION_LAPSE_MS,
  OPERATIONS_A_MINUTE,
} from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { grantAdmin, revokeAdmin } from "./grant-admin.ts";
import { importUsers } from "./import-users.ts";
import { invite } from "./invite.ts";
import { operateOnKeys } from "./key-operations.ts";
import { disableAccount, enableAccount, type Operator, signOut, unlock } from "./operate-account.ts";
import { userNamed } from "./operated-user.ts";
import { resetFactors } from "./reset-factors.ts";
import { unlockSource } from "./unlock-gates.ts";
import { verifyEventsFrom } from "./verify-events.ts";

/**
 * Executes what operators have asked for, the oldest first and a few at a time: the minute cron's work. One that is
 * interrupted is begun again, and does no harm by being executed twice.
 */
export async function runOperations(service: Service, visit: Visit): Promise<void> {
  const { now } = visit;
  const { operations, config } = service;
  await operations.lapseResets(now - APPROVAL_TTL_MS, now);
  await operations.forgetImportKeys(now - IMPORT_KEY_TTL_MS);
  for (let count = 0; count < OPERATIONS_A_MINUTE; count += 1) {
    // By the clock and not by the cron's start, which may be long ago: what runs now is not begun by the next one.
    const begun = Math.max(now, Date.now());
    const turn = { now: begun, begunBefore: begun - OPERATION_LAPSE_MS, needsApproval: config.twoPersonReset };
    const operation = await operations.begin(turn);
    if (!operation) return;
    await run(service, { ...visit, now: begun }, operation);
  }
}

/** Executes one. A fault leaves it to be begun again, until it has failed too often. */
async function run(service: Service, visit: Visit, operation: Operation): Promise<void> {
  const { id, kind, requestedBy, attempts } = operation;
  const about = { operation: id, kind, requested_by: requestedBy };
  if (attempts > OPERATION_ATTEMPTS) {
    logLine({ level: "error", event: "operation_given_up", ...about });
    return service.operations.finish(id, { failed: "it broke off each time; the log says why" }, visit.now);
  }
  try {
    const { result, payload } = await execute(service, visit, operation);
    // Before it counts as done: an operation whose event could not be kept is begun again, and then only that is left.
    if (RECORDED_HERE.includes(kind) && !isRefusedWhole(result)) await recordOperation(service, visit, operation);
    await service.operations.finish(id, result, visit.now, payload);
    const refused = "refused" in result ? result.refused : undefined;
    logLine({ level: "info", event: "operation_done", ...about, ...(typeof refused === "string" ? { refused } : {}) });
  } catch (error) {
    logLine({ level: "error", event: "operation_failed", ...about, error: String(error) });
  }
}

/** Whether nothing of it was done. An import lists the lines that it has refused, and is done even so. */
function isRefusedWhole(result: object): boolean {
  return "refused" in result && typeof result.refused === "string";
}

/** What no account records: operations on the ring, and those that make accounts. */
const RECORDED_HERE = ["import_users", "invite", "rotate_key", "drop_key", "rewrap_keys"];

async function recordOperation({ events }: Service, { from, now }: Visit, operation: Operation): Promise<void> {
  const { id, kind: reason, requestedBy: actor } = operation;
  await events.add([securityEvent({ kind: "authz_admin", actor, reason, about: { operation: id } }, from, now)]);
}

interface Outcome {
  result: object;
  payload?: string;
}

async function execute(service: Service, visit: Visit, operation: Operation): Promise<Outcome> {
  const { id, payload } = operation;
  switch (operation.kind) {
    case "import_key": {
      const { publicKey, sealedPrivateKey } = await makeImportKey(await service.keyRing(visit.now), id);
      return { result: { public_key: publicKey }, payload: sealedPrivateKey };
    }
    case "import_users":
      return { result: await importUsers(service, visit, { id, payload, isRepeated: operation.attempts > 1 }) };
    case "invite":
      return { result: await invite(service, visit, memberOf(payload, "email")) };
    case "reset_factors":
      return { result: await resetFactorsOf(service, visit, memberOf(payload, "account"), operation) };
    case "grant_admin":
    case "revoke_admin": {
      const terms = { actor: operation.requestedBy, isRepeated: operation.attempts > 1 };
      const changeRole = operation.kind === "grant_admin" ? grantAdmin : revokeAdmin;
      return { result: await changeRole(service, visit, memberOf(payload, "account"), terms) };
    }
    case "disable_account":
    case "enable_account":
    case "sign_out_account":
    case "unlock_account":
      return { result: await operateOn(service, visit, ON_ACCOUNTS[operation.kind], operation) };
    case "unlock_source":
      return { result: await unlockSource(service, visit, memberOf(payload, "source"), operation) };
    case "list_keys":
    case "rotate_key":
    case "drop_key":
    case "rewrap_keys":
      return { result: await operateOnKeys(service, visit, operation.kind, operation) };
    case "verify_events":
      return { result: await verifyEventsFrom(service, visit, payload) };
    default:
      return { result: { failed: "this version of the service knows no such operation" } };
  }
}

/** What operators' commands do to accounts as admins do by the API. */
const ON_ACCOUNTS = {
  disable_account: { does: disableAccount, isDone: ({ status }: User) => status === "disabled" },
  enable_account: { does: enableAccount, isDone: ({ status }: User) => status === "active" },
  sign_out_account: { does: signOut, isDone: () => false },
  unlock_account: { does: unlock, isDone: () => false },
};

interface OnAccount {
  does(service: Service, visit: Visit, operator: Operator, user: User): Promise<object | Refusal>;
  isDone(user: User): boolean;
}

async function operateOn(
  service: Service,
  visit: Visit,
  { does, isDone }: OnAccount,
  { payload, requestedBy, attempts }: Operation,
): Promise<object | Refusal> {
  const named = await userNamed(service, memberOf(payload, "account"));
  if (isRefusal(named)) return named;
  // It did its work before it was interrupted.
  if (attempts > 1 && isDone(named.user)) return { kind: "done" };
  return does(service, visit, { actor: requestedBy }, named.user);
}

/** The account is named by its address or by its id. */
async function resetFactorsOf(
  service: Service,
  visit: Visit,
  account: string,
  { id, requestedBy, approvedBy }: Operation,
): Promise<object | Refusal> {
  const named = await userNamed(service, account);
  if (isRefusal(named)) return named;
  const by = approvedBy === undefined ? { actor: requestedBy } : { actor: approvedBy, requestedBy };
  return resetFactors(service, visit, named.user.id, { id, ...by });
}

function memberOf(payload: string, name: string): string {
  const value = (JSON.parse(payload) as Record<string, unknown>)[name];
  if (typeof value !== "string") throw new Error(`the operation names no ${name}`);
  return value;
}
