import { type Answer, claimsOf } from "../../support/in-worker.ts";

/** What follows the names of the factors in `amr` where a passkey is among them. */
export const BY_PASSKEY = ["user", "pop", "mfa"];

/** What a token says of its proof; its times as seconds since `base`. */
export function proofIn({ body, text }: Answer, base: number) {
  if (body.access_token === undefined) throw new Error(`no token: ${text}`);
  const { acr, amr, auth_time, factors } = claimsOf(body.access_token);
  const since = Object.entries(factors as Record<string, number>).map(([kind, at]) => [kind, at - base]);
  return {
    acr,
    amr,
    auth_time: Number(auth_time) - base,
    factors: Object.fromEntries(since) as Record<string, number>,
  };
}

/** The same, as it is expected: the last proof is the newest of them. */
export function proof(acr: string, amr: string[], factors: Record<string, number>) {
  return { acr, amr, auth_time: Math.max(...Object.values(factors)), factors };
}
