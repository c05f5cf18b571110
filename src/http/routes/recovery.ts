import { type Context, Hono } from "hono";
import { authenticate } from "../../flows/authenticate.ts";
import { cancelRecovery, confirmRecovery, finishRecovery, startRecovery } from "../../flows/recover-account.ts";
import { isRefusal, type Refusal } from "../../refusal.ts";
import type { AccessToken } from "../../tokens/access-token.ts";
import { rfc3339 } from "../account-members.ts";
import { readBody } from "../body.ts";
import type { Api } from "../context.ts";
import { readFirstDoorBody } from "../first-door-body.ts";
import { presentedToken } from "../presented-token.ts";
import { refuse } from "../problem.ts";
import { MailedLink, Recovery, RecoveryCancel } from "../schemas.ts";

/** The slow way back for who has lost every factor. None of it opens a session. */
export const recovery = new Hono<Api>()
  .post("/recovery/start", async (c) => {
    const body = await readFirstDoorBody(c, Recovery);
    if (isRefusal(body)) return refuse(c, body);
    const { email, password } = body.value;
    const outcome = await startRecovery(c.get("service"), c.get("visit"), email, password);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind }, 202);
  })
  .post("/recovery/confirm", async (c) => {
    const body = await readBody(c, MailedLink);
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await confirmRecovery(c.get("service"), c.get("visit"), body.value.token);
    if (isRefusal(outcome)) return refuse(c, outcome);
    return c.json({ status: outcome.kind, finish_after: rfc3339(outcome.finishAfter) });
  })
  .post("/recovery/cancel", async (c) => {
    const body = await readBody(c, RecoveryCancel, { mayBeEmpty: true });
    if (isRefusal(body)) return refuse(c, body);
    const by = body.value.token === undefined ? await bearerOf(c) : { token: body.value.token };
    if (isRefusal(by)) return refuse(c, by);
    const outcome = await cancelRecovery(c.get("service"), c.get("visit"), by);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind });
  })
  .post("/recovery/finish", async (c) => {
    const body = await readBody(c, MailedLink);
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await finishRecovery(c.get("service"), c.get("visit"), body.value.token);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind });
  });

async function bearerOf(c: Context<Api>): Promise<{ bearer: AccessToken } | Refusal> {
  const bearer = await authenticate(c.get("service"), c.get("visit"), presentedToken(c));
  return isRefusal(bearer) ? bearer : { bearer };
}
