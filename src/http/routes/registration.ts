import { Hono } from "hono";
import { acceptInvitation } from "../../flows/accept-invitation.ts";
import { readConfig } from "../../flows/public-documents.ts";
import { register } from "../../flows/register.ts";
import { verifyEmail } from "../../flows/verify-email.ts";
import { isRefusal } from "../../refusal.ts";
import { readBody } from "../body.ts";
import type { Api } from "../context.ts";
import { readFirstDoorBody } from "../first-door-body.ts";
import { refuse } from "../problem.ts";
import { EmailVerification, InvitationAcceptance, Registration } from "../schemas.ts";

/** How an account comes to be. */
export const registration = new Hono<Api>()
  .get("/config", (c) => c.json(readConfig(c.get("service"))))
  .post("/register", async (c) => {
    const body = await readBody(c, Registration);
    if (isRefusal(body)) return refuse(c, body);
    const { email, password } = body.value;
    const outcome = await register(c.get("service"), c.get("visit"), email, password);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind }, 202);
  })
  .post("/email/verify", async (c) => {
    const body = await readFirstDoorBody(c, EmailVerification);
    if (isRefusal(body)) return refuse(c, body);
    const { token, password } = body.value;
    const outcome = await verifyEmail(c.get("service"), c.get("visit"), token, password);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind });
  })
  .post("/invitation/accept", async (c) => {
    const body = await readFirstDoorBody(c, InvitationAcceptance);
    if (isRefusal(body)) return refuse(c, body);
    const { token, password } = body.value;
    const outcome = await acceptInvitation(c.get("service"), c.get("visit"), token, password);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind });
  });
