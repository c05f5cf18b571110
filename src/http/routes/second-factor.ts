import { Hono } from "hono";
import { answerChallenge } from "../../flows/answer-challenge.ts";
import { confirmTotp, enrolTotp } from "../../flows/enrol-totp.ts";
import { listFactors } from "../../flows/own-account.ts";
import { stepUp } from "../../flows/step-up.ts";
import { isRefusal } from "../../refusal.ts";
import { answerIssued, rfc3339 } from "../answer.ts";
import { audienceProblem } from "../audience.ts";
import { readBody } from "../body.ts";
import type { Api } from "../context.ts";
import { signedIn } from "../middleware/signed-in.ts";
import { refuse } from "../problem.ts";
import { qrSvg } from "../qr-svg.ts";
import { ChallengeAnswer, StepUp, TotpConfirmation, TotpEnrolment } from "../schemas.ts";

/** The second door, and the factors that open it. */
export const secondFactor = new Hono<Api>()
  .post("/2fa/verify", async (c) => {
    const body = await readBody(c, ChallengeAnswer);
    if (isRefusal(body)) return refuse(c, body);
    const { challenge_token, code } = body.value;
    return answerIssued(c, await answerChallenge(c.get("service"), c.get("visit"), challenge_token, code));
  })
  .post("/step-up", signedIn, async (c) => {
    const body = await readBody(c, StepUp);
    if (isRefusal(body)) return refuse(c, body);
    const problem = audienceProblem(c, body.value.audience);
    if (problem) return refuse(c, problem);
    return answerIssued(c, await stepUp(c.get("service"), c.get("visit"), c.get("bearer"), body.value.password));
  })
  .get("/2fa", signedIn, async (c) => {
    const list = await listFactors(c.get("service"), c.get("bearer"));
    if (isRefusal(list)) return refuse(c, list);
    const factors = list.factors.map(({ id, kind, label, createdAt, lastUsedAt }) => ({
      id,
      kind,
      label,
      created_at: rfc3339(createdAt),
      last_used_at: lastUsedAt === undefined ? null : rfc3339(lastUsedAt),
    }));
    return c.json({ factors, recovery_codes_remaining: 0, required: false });
  })
  .post("/2fa/totp/enroll", signedIn, async (c) => {
    const body = await readBody(c, TotpEnrolment);
    if (isRefusal(body)) return refuse(c, body);
    const pending = await enrolTotp(c.get("service"), c.get("bearer"), body.value.label);
    if (isRefusal(pending)) return refuse(c, pending);
    const { factorId, secret, otpauthUri, expiresInSeconds } = pending;
    const qr = await qrSvg(otpauthUri);
    const shown = { factor_id: factorId, secret, otpauth_uri: otpauthUri, qr_svg: qr, expires_in: expiresInSeconds };
    return c.json(shown, 201);
  })
  .post("/2fa/totp/confirm", signedIn, async (c) => {
    const body = await readBody(c, TotpConfirmation);
    if (isRefusal(body)) return refuse(c, body);
    const { factor_id, code } = body.value;
    const outcome = await confirmTotp(c.get("service"), c.get("bearer"), factor_id, code);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json({ status: outcome.kind });
  });
