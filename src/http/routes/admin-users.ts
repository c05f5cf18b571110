import { type Context, Hono } from "hono";
import type { User } from "../../directory/users.ts";
import { inviteByAdmin } from "../../flows/admin-invitations.ts";
import { resetByAdmin } from "../../flows/admin-resets.ts";
import { rolesByAdmin } from "../../flows/admin-roles.ts";
import { disableAccount, enableAccount, type Operator, signOut, unlock } from "../../flows/operate-account.ts";
import { lookUpUser, userOfId } from "../../flows/operated-user.ts";
import { isRefusal, type Refusal } from "../../refusal.ts";
import type { Service, Visit } from "../../service.ts";
import { approvalMembers, userMembers } from "../admin-members.ts";
import { readAct, readQuery } from "../admin-request.ts";
import { Invitation, Roles, UserQuery } from "../admin-schemas.ts";
import type { Api } from "../context.ts";
import { adminReads, adminWrites } from "../middleware/admin.ts";
import { refuse } from "../problem.ts";
import { Nothing } from "../schemas.ts";

/** What admins see of accounts, and do to them. */
export const adminUsers = new Hono<Api>()
  .get("/users", adminReads, async (c) => {
    const query = readQuery(c, UserQuery);
    if (isRefusal(query)) return refuse(c, query);
    const found = await lookUpUser(c.get("service"), query.value.email);
    return isRefusal(found) ? refuse(c, found) : c.json(userMembers(found));
  })
  .post("/users/invite", adminWrites, async (c) => {
    const body = await readAct(c, Invitation);
    if (isRefusal(body)) return refuse(c, body);
    const invited = await inviteByAdmin(c.get("service"), c.get("visit"), operatorOf(c), body.value.email);
    return isRefusal(invited) ? refuse(c, invited) : c.json({ status: invited.kind }, 202);
  })
  .post("/users/:id/disable", adminWrites, (c) => act(c, c.req.param("id"), disableAccount, "not_own"))
  .post("/users/:id/enable", adminWrites, (c) => act(c, c.req.param("id"), enableAccount))
  .post("/users/:id/sign-out", adminWrites, (c) => act(c, c.req.param("id"), signOut))
  .post("/users/:id/unlock", adminWrites, (c) => act(c, c.req.param("id"), unlock))
  .post("/users/:id/reset-factors", adminWrites, async (c) => {
    const body = await readAct(c, Nothing, { mayBeEmpty: true });
    if (isRefusal(body)) return refuse(c, body);
    const other = await userOf(c, c.req.param("id"), "not_own");
    if (isRefusal(other)) return refuse(c, other);
    const outcome = await resetByAdmin(c.get("service"), c.get("visit"), operatorOf(c), other.user);
    if (isRefusal(outcome)) return refuse(c, outcome);
    if (outcome.kind === "approval_required") return c.json(approvalMembers(outcome), 202);
    return c.json({ status: outcome.kind });
  })
  .post("/users/:id/roles", adminWrites, async (c) => {
    const body = await readAct(c, Roles);
    if (isRefusal(body)) return refuse(c, body);
    const other = await userOf(c, c.req.param("id"), "not_own");
    if (isRefusal(other)) return refuse(c, other);
    const { roles } = body.value;
    const changed = await rolesByAdmin(c.get("service"), c.get("visit"), operatorOf(c), other.user, roles);
    return isRefusal(changed) ? refuse(c, changed) : c.json({ status: changed.kind, roles: changed.roles });
  });

type Act = (service: Service, visit: Visit, operator: Operator, user: User) => Promise<{ kind: string } | Refusal>;

/** Does what needs nothing but an account. */
async function act(c: Context<Api>, id: string, does: Act, whose: "any" | "not_own" = "any"): Promise<Response> {
  const body = await readAct(c, Nothing, { mayBeEmpty: true });
  if (isRefusal(body)) return refuse(c, body);
  const named = await userOf(c, id, whose);
  if (isRefusal(named)) return refuse(c, named);
  const outcome = await does(c.get("service"), c.get("visit"), operatorOf(c), named.user);
  return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind });
}

/** The account that is named. What nobody may do to himself is refused before it is looked up. */
async function userOf(c: Context<Api>, id: string, whose: "any" | "not_own"): Promise<{ user: User } | Refusal> {
  if (whose === "not_own" && id === c.get("bearer").accountId) return { refused: "own_account" };
  return userOfId(c.get("service"), id);
}

function operatorOf(c: Context<Api>): Operator {
  return { actor: c.get("bearer").accountId };
}
