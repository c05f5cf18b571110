import { Hono } from "hono";
import { removeFactor, renameFactor, replaceRecoveryCodes, turnOffSecondFactor } from "../../flows/change-factors.ts";
import { confirmTotp, enrolTotp } from "../../flows/enrol-totp.ts";
import { listFactors } from "../../flows/own-account.ts";
import { isRefusal } from "../../refusal.ts";
import { factorMembers } from "../account-members.ts";
import { newFactorMembers } from "../answer.ts";
import { readBody } from "../body.ts";
import type { Api } from "../context.ts";
import { enrolling, signedIn } from "../middleware/signed-in.ts";
import { refuse } from "../problem.ts";
import { qrSvg } from "../qr-svg.ts";
import { FactorLabel, Nothing, TotpConfirmation, TotpEnrolment } from "../schemas.ts";

/** The factors of an account: adding authenticator apps, naming, removing, recovery codes. */
export const factors = new Hono<Api>()
  .get("/2fa", signedIn, async (c) => {
    const list = await listFactors(c.get("service"), c.get("bearer"));
    if (isRefusal(list)) return refuse(c, list);
    return c.json({
      factors: list.factors.map(factorMembers),
      recovery_codes_remaining: list.recoveryCodesRemaining,
      required: c.get("service").config.secondFactor !== "optional",
    });
  })
  .post("/2fa/totp/enroll", enrolling, async (c) => {
    const body = await readBody(c, TotpEnrolment);
    if (isRefusal(body)) return refuse(c, body);
    const pending = await enrolTotp(c.get("service"), c.get("enroller"), body.value.label);
    if (isRefusal(pending)) return refuse(c, pending);
    const { factorId, secret, otpauthUri, expiresInSeconds } = pending;
    const qr = await qrSvg(otpauthUri);
    const shown = { factor_id: factorId, secret, otpauth_uri: otpauthUri, qr_svg: qr, expires_in: expiresInSeconds };
    return c.json(shown, 201);
  })
  .post("/2fa/totp/confirm", enrolling, async (c) => {
    const body = await readBody(c, TotpConfirmation);
    if (isRefusal(body)) return refuse(c, body);
    const { factor_id, code } = body.value;
    const outcome = await confirmTotp(c.get("service"), c.get("visit"), c.get("enroller"), factor_id, code);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json(newFactorMembers(c, outcome));
  })
  .patch("/2fa/factors/:id", signedIn, async (c) => {
    const body = await readBody(c, FactorLabel);
    if (isRefusal(body)) return refuse(c, body);
    const { label } = body.value;
    const renamed = await renameFactor(c.get("service"), c.get("visit"), c.get("bearer"), c.req.param("id"), label);
    return isRefusal(renamed) ? refuse(c, renamed) : c.json(factorMembers(renamed.factor));
  })
  .delete("/2fa/factors/:id", signedIn, async (c) => {
    const outcome = await removeFactor(c.get("service"), c.get("visit"), c.get("bearer"), c.req.param("id"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.body(null, 204);
  })
  .post("/2fa/turn-off", signedIn, async (c) => {
    const body = await readBody(c, Nothing, { mayBeEmpty: true });
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await turnOffSecondFactor(c.get("service"), c.get("visit"), c.get("bearer"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.body(null, 204);
  })
  .post("/2fa/recovery-codes", signedIn, async (c) => {
    const body = await readBody(c, Nothing, { mayBeEmpty: true });
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await replaceRecoveryCodes(c.get("service"), c.get("visit"), c.get("bearer"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ recovery_codes: outcome.codes });
  });
