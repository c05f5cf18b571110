import { Hono } from "hono";
import { logIn } from "../../flows/log-in.ts";
import { logOut } from "../../flows/log-out.ts";
import { requestProof } from "../../flows/prove-mailbox.ts";
import { refresh } from "../../flows/refresh.ts";
import { isRefusal } from "../../refusal.ts";
import { answerIssued } from "../answer.ts";
import { audienceProblem } from "../audience.ts";
import { bearerToken } from "../bearer-token.ts";
import { readBody } from "../body.ts";
import type { Api } from "../context.ts";
import { readFirstDoorBody } from "../first-door-body.ts";
import { isBrowserRequest } from "../host-cookies.ts";
import { refuse } from "../problem.ts";
import { clearRefreshCookie, presentedRefreshToken } from "../refresh-cookie.ts";
import { LogOut, PasswordSignIn, ProofRequest, Refresh } from "../schemas.ts";

/** The life of a session: the first door, going on, the end. */
export const signIn = new Hono<Api>()
  .post("/login", async (c) => {
    const body = await readFirstDoorBody(c, PasswordSignIn);
    if (isRefusal(body)) return refuse(c, body);
    const problem = audienceProblem(c, body.value.audience);
    if (problem) return refuse(c, problem);
    const { email, password, remember, proof } = body.value;
    const request = { email, password, remember, proof: proof?.token };
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
    const issued = await refresh(c.get("service"), c.get("visit"), presented.token ?? "");
    if (isRefusal(issued) && presented.fromCookie) clearRefreshCookie(c);
    return answerIssued(c, issued);
  })
  .post("/logout", async (c) => {
    const accessToken = bearerToken(c);
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
