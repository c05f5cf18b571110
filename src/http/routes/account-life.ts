import { Hono } from "hono";
import { askEmailChange, undoEmailChange } from "../../flows/change-email.ts";
import { changePassword } from "../../flows/change-password.ts";
import { cancelDeletion, scheduleDeletion } from "../../flows/delete-account.ts";
import { exportAccount } from "../../flows/export-account.ts";
import { forgotPassword } from "../../flows/forgot-password.ts";
import { freezeAccount } from "../../flows/freeze-account.ts";
import { resetPassword } from "../../flows/reset-password.ts";
import { isRefusal } from "../../refusal.ts";
import { exportMembers, rfc3339 } from "../account-members.ts";
import { answerIssued } from "../answer.ts";
import { readBody } from "../body.ts";
import type { Api } from "../context.ts";
import { signedIn } from "../middleware/signed-in.ts";
import { refuse } from "../problem.ts";
import { EmailChange, ForgottenPassword, MailedLink, PasswordChange, PasswordReset } from "../schemas.ts";

/** How an account changes and ends: its password, its address, its deletion. */
export const accountLife = new Hono<Api>()
  .post("/password/forgot", async (c) => {
    const body = await readBody(c, ForgottenPassword);
    if (isRefusal(body)) return refuse(c, body);
    const { kind } = await forgotPassword(c.get("service"), c.get("visit"), body.value.email);
    return c.json({ status: kind }, 202);
  })
  .post("/password/reset", async (c) => {
    const body = await readBody(c, PasswordReset);
    if (isRefusal(body)) return refuse(c, body);
    const { token, new_password } = body.value;
    return answerIssued(c, await resetPassword(c.get("service"), c.get("visit"), token, new_password));
  })
  .post("/password/change", signedIn, async (c) => {
    const body = await readBody(c, PasswordChange);
    if (isRefusal(body)) return refuse(c, body);
    const { current_password: current, new_password: typedNew } = body.value;
    const change = { current, typedNew };
    return answerIssued(c, await changePassword(c.get("service"), c.get("visit"), c.get("bearer"), change));
  })
  .post("/email/change", signedIn, async (c) => {
    const body = await readBody(c, EmailChange);
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await askEmailChange(c.get("service"), c.get("visit"), c.get("bearer"), body.value.new_email);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind }, 202);
  })
  .post("/email/undo", async (c) => {
    const body = await readBody(c, MailedLink);
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await undoEmailChange(c.get("service"), c.get("visit"), body.value.token);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind });
  })
  .post("/freeze", async (c) => {
    const body = await readBody(c, MailedLink);
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await freezeAccount(c.get("service"), c.get("visit"), body.value.token);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind });
  })
  .delete("/me", signedIn, async (c) => {
    const outcome = await scheduleDeletion(c.get("service"), c.get("visit"), c.get("bearer"));
    if (isRefusal(outcome)) return refuse(c, outcome);
    return c.json({ status: outcome.kind, deletes_at: rfc3339(outcome.deletesAt) }, 202);
  })
  .post("/deletion/cancel", async (c) => {
    const body = await readBody(c, MailedLink);
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await cancelDeletion(c.get("service"), c.get("visit"), body.value.token);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind });
  })
  .get("/export", signedIn, async (c) => {
    const outcome = await exportAccount(c.get("service"), c.get("visit"), c.get("bearer"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.json(exportMembers(outcome));
  });
