import { expect, it } from "vitest";
import { signAccessToken } from "../../src/tokens/access-token.ts";
import { call, claimsOf, ISSUER, ring } from "../support/in-worker.ts";
import { ago, newAdmin } from "./support/admin.ts";
import { callBound, newProofKey } from "./support/dpop.ts";
import { useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

/** A token of the session of an admin, for a service and bound to a key if one is named. */
async function tokenOf(
  bearer: string,
  { audience = ISSUER, jkt }: { audience?: string; jkt?: string },
): Promise<string> {
  const { sub, sid } = claimsOf(bearer) as { sub: string; sid: string };
  const subject = { accountId: sub, sessionId: sid, audience, roles: ["admin"], factors: { pwd: ago(0), otp: ago(0) } };
  return signAccessToken(await ring(), ISSUER, { ...subject, ...(jkt === undefined ? {} : { jkt }) }, Date.now(), 300);
}

it("a token for another service opens nothing, nor does one without its scheme", async () => {
  const { bearer } = await newAdmin();
  const foreign = await call("/admin/api/stats", undefined, { bearer: await tokenOf(bearer, { audience: "billing" }) });
  expect([foreign.status, foreign.body.code]).toEqual([401, "invalid_token"]);
  const unbound = await call("/admin/api/stats", undefined, { headers: { Authorization: `DPoP ${bearer}` } });
  expect(unbound.body.code).toBe("invalid_token");
  expect(unbound.headers.get("WWW-Authenticate")).toMatch(/^DPoP /);
});

it("a token that is bound to a key works with that key, and is told the next nonce", async () => {
  const { bearer } = await newAdmin();
  const key = await newProofKey();
  const bound = await tokenOf(bearer, { jkt: key.jkt });
  const read = await callBound(key, "/admin/api/keys", undefined, { bearer: bound });
  expect([read.status, read.headers.get("DPoP-Nonce")]).toEqual([200, expect.any(String)]);
  const { body } = await callBound(key, "/admin/api/users/invite", { email: "bound@example.com" }, { bearer: bound });
  expect(body).toEqual({ status: "invited" });
  expect((await call("/admin/api/keys", undefined, { bearer: bound })).body.code).toBe("invalid_token");
  expect((await callBound(await newProofKey(), "/admin/api/keys", undefined, { bearer: bound })).body.code).toBe(
    "invalid_dpop_proof",
  );
});
