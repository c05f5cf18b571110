import { Hono } from "hono";
import { answerChallenge, passkeyOptions } from "../../flows/answer-challenge.ts";
import { stepUp } from "../../flows/step-up.ts";
import { PASSKEY_BODY_MAX_BYTES } from "../../policy.ts";
import { isRefusal } from "../../refusal.ts";
import { answerIssued } from "../answer.ts";
import { audienceProblem } from "../asked-terms.ts";
import { readBody } from "../body.ts";
import type { Api } from "../context.ts";
import { signedIn } from "../middleware/signed-in.ts";
import { refuse } from "../problem.ts";
import { ChallengeAnswer, PasskeyChallenge, StepUp } from "../schemas.ts";

/** The second door: challenges, and their answers. */
export const secondFactor = new Hono<Api>()
  .post("/2fa/verify", async (c) => {
    const body = await readBody(c, ChallengeAnswer, { maxBytes: PASSKEY_BODY_MAX_BYTES });
    if (isRefusal(body)) return refuse(c, body);
    const { challenge_token, trust_browser, ...answer } = body.value;
    return answerIssued(
      c,
      await answerChallenge(c.get("service"), c.get("visit"), challenge_token, answer, trust_browser),
    );
  })
  .post("/2fa/passkey/options", async (c) => {
    const body = await readBody(c, PasskeyChallenge);
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await passkeyOptions(c.get("service"), c.get("visit"), body.value.challenge_token);
    return isRefusal(outcome) ? refuse(c, outcome) : c.json(outcome.options);
  })
  .post("/step-up", signedIn, async (c) => {
    const body = await readBody(c, StepUp);
    if (isRefusal(body)) return refuse(c, body);
    const { audience, password } = body.value;
    const problem = audienceProblem(c, audience);
    if (problem) return refuse(c, problem);
    return answerIssued(c, await stepUp(c.get("service"), c.get("visit"), c.get("bearer"), { audience, password }));
  });
