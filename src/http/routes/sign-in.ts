import { Hono } from "hono";
import { passBotCheck } from "../../flows/check-bot.ts";
import { logIn } from "../../flows/log-in.ts";
import { logOut } from "../../flows/log-out.ts";
import { requestProof } from "../../flows/prove-mailbox.ts";
import { refresh } from "../../flows/refresh.ts";
import { isRefusal } from "../../refusal.ts";
import { answerIssued } from "../answer.ts";
import { audienceProblem, deliveryProblem, proofProblem } from "../asked-terms.ts";
import { readBody } from "../body.ts";
import type { Api } from "../context.ts";
import { readFirstDoorBody } from "../first-door-body.ts";
import { isBrowserRequest } from "../host-cookies.ts";
import { presentedToken } from "../presented-token.ts";
import { refuse } from "../problem.ts";
import { clearRefreshCookie, leavesSession, presentedRefreshToken } from "../refresh-cookie.ts";
import { LogOut, PasswordSignIn, ProofRequest, Refresh } from "../schemas.ts";

/** The life of a session: the first door, going on, the end. */
export const signIn = new Hono<Api>()
  .post("/login", async (c) => {
    const body = await readFirstDoorBody(c, PasswordSignIn);
    if (isRefusal(body)) return refuse(c, body);
    const { email, password, remember, proof, audience, token_delivery: delivery } = body.value;
    const problem = audienceProblem(c, audience) ?? deliveryProblem(c, delivery) ?? proofProblem(c, proof?.kind);
    if (problem) return refuse(c, problem);
    const [link, token] = proof?.kind === "turnstile" ? [undefined, proof.token] : [proof?.token, undefined];
    const check = await passBotCheck(c.get("service"), c.get("visit"), token);
    if (isRefusal(check)) return refuse(c, check);
    const request = { email, password, remember, proof: link, passedBotCheck: check.hasPassed, audience, delivery };
    return answerIssued(c, await logIn(c.get("service"), c.get("visit"), request));
  })
  .post("/proof", async (c) => {
    const body = await readBody(c, ProofRequest);
    if (isRefusal(body)) return refuse(c, body);
    const outcome = await requestProof(c.get("service"), c.get("visit"), body.value.email);
    return c.json({ status: outcome.kind }, 202);
  })
  .post("/refresh", async (c) => {
    const body = await readBody(c, Refresh);
    if (isRefusal(body)) return refuse(c, body);
    const problem = audienceProblem(c, body.value.audience);
    if (problem) return refuse(c, problem);
    const presented = presentedRefreshToken(c, body.value.refresh_token);
    if (isRefusal(presented)) return refuse(c, presented);
    const issued = await refresh(c.get("service"), c.get("visit"), presented.token ?? "", body.value.audience);
    if (presented.fromCookie && isRefusal(issued) && !leavesSession(issued)) clearRefreshCookie(c);
    return answerIssued(c, issued);
  })
  .post("/logout", async (c) => {
    const accessToken = presentedToken(c);
    const body = await readBody(c, LogOut, { mayBeEmpty: accessToken !== undefined });
    if (isRefusal(body)) return refuse(c, body);
    const presented = presentedRefreshToken(c, body.value.refresh_token);
    if (isRefusal(presented)) return refuse(c, presented);
    await logOut(c.get("service"), c.get("visit"), { refreshToken: presented.token, accessToken });
    if (isBrowserRequest(c)) {
      clearRefreshCookie(c);
      c.header("Clear-Site-Data", '"cache", "storage"');
    }
    return c.body(null, 204);
  });
