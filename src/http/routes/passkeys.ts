import { Hono } from "hono";
import { addPasskey, passkeyCreationOptions } from "../../flows/enrol-passkey.ts";
import { passkeySignInOptions, signInWithPasskey } from "../../flows/sign-in-with-passkey.ts";
import { PASSKEY_BODY_MAX_BYTES } from "../../policy.ts";
import { isRefusal } from "../../refusal.ts";
import { factorMembers } from "../account-members.ts";
import { answerIssued, newFactorMembers } from "../answer.ts";
import { audienceProblem, deliveryProblem } from "../asked-terms.ts";
import { readBody } from "../body.ts";
import type { Api } from "../context.ts";
import { readFirstDoorBody } from "../first-door-body.ts";
import { enrolling } from "../middleware/signed-in.ts";
import { refuse } from "../problem.ts";
import { Nothing, PasskeyRegistration, PasskeySignIn } from "../schemas.ts";

/** Passkeys and security keys: registering one, and signing in with one alone. */
export const passkeys = new Hono<Api>()
  .post("/2fa/passkeys/options", enrolling, async (c) => {
    const body = await readBody(c, Nothing);
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await passkeyCreationOptions(c.get("service"), c.get("visit"), c.get("enroller"));
    return isRefusal(outcome) ? refuse(c, outcome) : c.json(outcome.options);
  })
  .post("/2fa/passkeys", enrolling, async (c) => {
    const body = await readBody(c, PasskeyRegistration, { maxBytes: PASSKEY_BODY_MAX_BYTES });
    if (isRefusal(body)) return refuse(c, body);
    const { label, response } = body.value;
    const outcome = await addPasskey(c.get("service"), c.get("visit"), c.get("enroller"), label, response);
    if (isRefusal(outcome)) return refuse(c, outcome);
    return c.json({ ...factorMembers(outcome.factor), ...newFactorMembers(c, outcome) }, 201);
  })
  .post("/passkey/options", async (c) => {
    const body = await readBody(c, Nothing);
    if (isRefusal(body)) return refuse(c, body);
    return c.json(await passkeySignInOptions(c.get("service"), c.get("visit")));
  })
  .post("/passkey/verify", async (c) => {
    const body = await readFirstDoorBody(c, PasskeySignIn, PASSKEY_BODY_MAX_BYTES);
    if (isRefusal(body)) return refuse(c, body);
    const { response, remember, audience, token_delivery: delivery } = body.value;
    const problem = audienceProblem(c, audience) ?? deliveryProblem(c, delivery);
    if (problem) return refuse(c, problem);
    const asked = { remember, audience, delivery };
    return answerIssued(c, await signInWithPasskey(c.get("service"), c.get("visit"), response, asked));
  });
