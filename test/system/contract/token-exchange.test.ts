import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  challenged,
  issuer,
  me,
  type Person,
  post,
  refreshed,
  signedIn,
  type TwoFactorPerson,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";
import { itTakesClientsAndForms } from "../../support/client-endpoint.ts";
import { answerByPasskey, type PasskeyPerson, passkeyPerson } from "../../support/passkey-client.ts";
import { publishedKeys, verified } from "../../support/published.ts";
import {
  ACCESS_TOKEN_TYPE,
  BILLING,
  claimsOf,
  exchange,
  exchangeForm,
  expectOAuthError,
  leaveServices,
  ORDERS,
  postForm,
  type ServiceClient,
  serviceSession,
  talkToServices,
  tokenFor,
  VAULT,
} from "../../support/service-clients.ts";

let person: Person;
let owner: TwoFactorPerson;
let keyed: PasskeyPerson;
beforeAll(async () => {
  await talkToServices();
  [person, owner, keyed] = await Promise.all([verifiedPerson(), twoFactorPerson(), passkeyPerson()]);
});
afterAll(leaveServices);

const orderToken = () => tokenFor("orders", person);
const given = (answer: Answer): string => {
  expect(answer.status, answer.text).toBe(200);
  return text(answer, "access_token");
};
/** The token with one bit of its signature turned over: still a spelling that base64url has. */
const forged = (token: string): string =>
  token.replace(/.(.{20})$/, (end, rest) => (end[0] === "A" ? "B" : "A") + rest);

describe("exchanging a token", () => {
  itTakesClientsAndForms({
    path: "/oauth/token",
    client: BILLING,
    form: async () => exchangeForm(await tokenFor("billing", person), "orders"),
    granted: given,
    untouched: async () => {},
  });

  it("gives the client a token for the next service, of the same session and the same proof", async () => {
    const challenge = await post("/auth/login", { email: owner.email, password: owner.password, audience: "orders" });
    const answered = await post("/auth/2fa/verify", {
      challenge_token: text(challenge, "challenge_token"),
      method: "totp",
      code: await owner.authenticator.next(),
    });
    const subject = text(answered, "access_token");
    await sleep(1_500);
    const answer = await exchange(ORDERS, subject, "billing", { requested_token_type: ACCESS_TOKEN_TYPE });
    const token = given(answer);
    expect(Object.keys(answer.body).sort()).toEqual(["access_token", "expires_in", "issued_token_type", "token_type"]);
    expect(answer.body).toMatchObject({ issued_token_type: ACCESS_TOKEN_TYPE, token_type: "Bearer" });
    const { payload, protectedHeader } = await verified(token, "billing");
    expect(Object.keys(protectedHeader)).toEqual(["alg", "typ", "kid"]);
    const { aud, client_id, iat, jti, ...kept } = claimsOf(subject);
    expect(aud).toBe("orders");
    expect(client_id).toBe("first-party");
    const { act, aud: newAud, client_id: newClient, iat: newIat, jti: newJti, ...rest } = payload;
    // Everything else, the end of its life included, is that of the subject token.
    expect(rest).toEqual(kept);
    expect(rest.acr).toBe("aal2");
    expect({ act, newAud, newClient }).toEqual({ act: { sub: ORDERS.id }, newAud: "billing", newClient: ORDERS.id });
    expect(newJti).not.toBe(jti);
    expect(Number(newIat)).toBeGreaterThan(Number(iat));
    expect(Math.abs(Number(answer.body.expires_in) - (Number(payload.exp) - Date.now() / 1000))).toBeLessThan(5);
    await expect(verified(token, "orders")).rejects.toMatchObject({ code: "ERR_JWT_CLAIM_VALIDATION_FAILED" });
    expect((await me(token)).body.code).toBe("invalid_token");
  });

  it("names everybody who has exchanged it, four at most", async () => {
    const hops: [ServiceClient, string][] = [
      [ORDERS, "billing"],
      [BILLING, "orders"],
    ];
    let token = await orderToken();
    const { exp } = claimsOf(token);
    let act: unknown;
    for (let hop = 0; hop < 4; hop++) {
      const [client, audience] = hops[hop % 2] as [ServiceClient, string];
      token = given(await exchange(client, token, audience));
      act = act === undefined ? { sub: client.id } : { sub: client.id, act };
      expect(claimsOf(token)).toMatchObject({ act, client_id: client.id, aud: audience });
      expect(Number(claimsOf(token).exp)).toBeLessThanOrEqual(Number(exp));
    }
    expect(JSON.stringify(act).match(/"sub"/g)?.length).toBe(4);
    expectOAuthError(await exchange(ORDERS, token, "billing"), 400, ["invalid_request", "invalid_target"]);
    given(await exchange(ORDERS, await orderToken(), "billing"));
  });

  it("takes a token for the client's own service only", async () => {
    const session = await signedIn(person);
    const { refresh } = await serviceSession("orders", person);
    const token = await orderToken();
    const own = given(await exchange(ORDERS, token, "billing"));
    const subjects: Record<string, string> = {
      "for the issuer": session.access,
      "for another service": await tokenFor("billing", person),
      "what it has itself exchanged": own,
      "a refresh token": refresh,
      "a challenge token": await challenged(owner),
      "the feed": (await (await fetch(`${issuer}/.well-known/revoked-sessions`)).text()).trim(),
      "another signature": forged(token),
      "three letters": "a.b.c",
      "one with a space": `${token} `,
      "4 KiB and more": `${token}${"A".repeat(4_096)}`,
    };
    for (const [name, subject] of Object.entries(subjects)) {
      const answer = await exchange(ORDERS, subject, "billing");
      expect({ name, status: answer.status }).toEqual({ name, status: 400 });
      expectOAuthError(answer, 400, "invalid_request");
      expect(answer.text).not.toContain(subject);
    }
    // A thief of the token alone gets nothing by another client's credentials.
    expectOAuthError(await exchange(BILLING, token, "orders"), 400, "invalid_request");
    expectOAuthError(await exchange(VAULT, token, "vault"), 400, ["invalid_request", "invalid_target"]);
    given(await exchange(ORDERS, token, "billing"));
  });

  it("goes only to what is listed for the client", async () => {
    const token = await orderToken();
    for (const audience of ["archive", "orders", "nothing", "Billing", "billing ", "billing,vault", issuer, ORDERS.id])
      expectOAuthError(await exchange(ORDERS, token, audience), 400, "invalid_target");
    expectOAuthError(await exchange(VAULT, await vaultToken(), "billing"), 400, "invalid_target");
    expectOAuthError(
      await postForm(
        "/oauth/token",
        [...Object.entries(exchangeForm(token, "billing")), ["audience", "vault"]],
        ORDERS,
      ),
      400,
      "invalid_request",
    );
    given(await exchange(ORDERS, token, "billing"));
  });

  it("asks of the proof what the service asks for", async () => {
    expectOAuthError(await exchange(ORDERS, await orderToken(), "vault"), 400, "invalid_target");
    const challenge = text(
      await post("/auth/login", { email: keyed.email, password: keyed.password, audience: "orders" }),
      "challenge_token",
    );
    const byPasskey = text(await answerByPasskey(challenge, keyed.passkey), "access_token");
    expect(claimsOf(byPasskey).acr).toBe("aal2");
    given(await exchange(ORDERS, byPasskey, "vault"));
    expectOAuthError(await exchange(ORDERS, byPasskey, "ledger"), 400, "invalid_target");
  });

  it("ends with the session", async () => {
    const ends: ((session: { access: string; refresh: string }) => Promise<unknown>)[] = [
      ({ refresh }) => post("/auth/logout", { refresh_token: refresh }),
      async ({ refresh }) => {
        const one = text(await refreshed(refresh), "refresh_token");
        await refreshed(one);
        return refreshed(refresh);
      },
    ];
    for (const end of ends) {
      const session = await serviceSession("orders", person);
      const next = given(await exchange(ORDERS, session.access, "billing"));
      await end(session);
      expectOAuthError(await exchange(ORDERS, session.access, "billing"), 400, "invalid_request");
      expectOAuthError(await exchange(BILLING, next, "orders"), 400, "invalid_request");
    }
  });

  it("knows one grant and one kind of token, and nobody else to act for", async () => {
    const token = await orderToken();
    const refusals: [Record<string, string>, string][] = [
      [{ grant_type: "refresh_token" }, "unsupported_grant_type"],
      [{ grant_type: "client_credentials" }, "unsupported_grant_type"],
      [{ grant_type: "token-exchange" }, "unsupported_grant_type"],
      [{ subject_token_type: "urn:ietf:params:oauth:token-type:jwt" }, "invalid_request"],
      [{ subject_token_type: "urn:ietf:params:oauth:token-type:refresh_token" }, "invalid_request"],
      [{ requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token" }, "invalid_request"],
      [{ requested_token_type: "urn:ietf:params:oauth:token-type:id_token" }, "invalid_request"],
      [{ actor_token: token, actor_token_type: ACCESS_TOKEN_TYPE }, "invalid_request"],
      [{ resource: "https://billing.example/" }, "invalid_request"],
      [{ scope: "everything" }, "invalid_request"],
    ];
    for (const [more, error] of refusals) expectOAuthError(await exchange(ORDERS, token, "billing", more), 400, error);
    given(await exchange(ORDERS, token, "billing", { scope: "", resource: "" }));
  });

  it("signs with a published key", async () => {
    const token = given(await exchange(ORDERS, await orderToken(), "billing"));
    const [head = ""] = token.split(".");
    const header = JSON.parse(Buffer.from(head, "base64url").toString()) as Record<string, unknown>;
    expect(header).toEqual({ alg: "ES256", typ: "at+jwt", kid: expect.any(String) });
    expect((await publishedKeys()).map(({ kid }) => kid)).toContain(header.kid);
  });
});

/** A token for the vault, of somebody behind two doors. */
async function vaultToken(): Promise<string> {
  const login = await post("/auth/login", { email: keyed.email, password: keyed.password, audience: "vault" });
  return text(await answerByPasskey(text(login, "challenge_token"), keyed.passkey), "access_token");
}
