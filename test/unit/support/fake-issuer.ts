import type { Fetch } from "../../../src/sdk/small-fetch.ts";
import { ISSUER, NOW, newPair } from "./forged-tokens.ts";

/** A key as an issuer publishes it. */
export type Jwk = Record<string, unknown>;

/** A public key of ours under this id. */
export async function newJwk(kid: string): Promise<Jwk> {
  const { kty, crv, x, y } = (await crypto.subtle.exportKey("jwk", (await newPair()).publicKey)) as JsonWebKey;
  return { kty, crv, x, y, use: "sig", alg: "ES256", kid };
}

/** An answer that holds this key set. */
export function jwksAnswer(
  keys: unknown,
  headers: Record<string, string> = { "Cache-Control": "public, max-age=300" },
) {
  return () => new Response(JSON.stringify({ keys }), { headers });
}

/** An issuer of which only its document and a clock are real: how often it was asked, and what it answers, can be set. */
export class FakeIssuer {
  /** Epoch milliseconds. */
  clock = NOW;
  /** What was asked for, and when. */
  readonly asked: { url: string; at: number; init: RequestInit }[] = [];
  answer: (init: RequestInit) => Response | Promise<Response>;

  constructor(answer: (init: RequestInit) => Response | Promise<Response>) {
    this.answer = answer;
  }

  readonly fetch: Fetch = async (url, init) => {
    this.asked.push({ url, at: this.clock, init });
    return this.answer(init);
  };

  readonly now = () => this.clock;

  /** Lets time pass. */
  pass(seconds: number): void {
    this.clock += seconds * 1000;
  }

  get address(): string {
    return `${ISSUER}/.well-known/jwks.json`;
  }
}
