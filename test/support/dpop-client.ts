import { calculateJwkThumbprint } from "jose";
import { expect } from "vitest";
import {
  type Answer,
  type Call,
  issuer,
  type Json,
  newPerson,
  type Person,
  type Session,
  send,
  sessionOf,
} from "./client.ts";
import { dpopProof, type ProofChange } from "./dpop-proofs.ts";
import { type Es256Key, newEs256Key } from "./es256-jws.ts";

/** The thumbprint of a client's key, as `cnf.jkt` names it (RFC 9449 §6.1). */
export const thumbprintOf = ({ jwk }: Es256Key): Promise<string> => calculateJwkThumbprint(jwk, "sha256");

/** What a proof is for. */
export interface ProvenRequest {
  method: string;
  /** Of the service, from its first slash. */
  path: string;
  /** The access token beside it. */
  access?: string | undefined;
}

/** A proof without a nonce, unless the change brings one. */
export const bareProof = (key: Es256Key, request: ProvenRequest, change: ProofChange = {}): Promise<string> => {
  const { method, path, access } = request;
  const about = { method, url: `${issuer}${path}`, now: Date.now() };
  return dpopProof(key, access === undefined ? about : { ...about, accessToken: access }, change);
};

/** A proof that the service takes, unless the change spoils it. */
export const proofFor = async (key: Es256Key, request: ProvenRequest, change: ProofChange = {}): Promise<string> =>
  bareProof(key, request, { ...change, claims: { nonce: await nonce(), ...change.claims } });

let known: { of: string; nonce: string; at: number } | undefined;

/** A nonce of the service, asked for once a minute: it is "good for at least 5 min". */
export async function nonce(): Promise<string> {
  if (known?.of === issuer && Date.now() - known.at < 60_000) return known.nonce;
  const { email, password } = newPerson();
  const dpop = await bareProof(await newEs256Key(), { method: "POST", path: "/auth/login" });
  const answer = await send("POST", "/auth/login", { email, password }, { headers: { dpop } });
  known = { of: issuer, nonce: nonceIn(answer), at: Date.now() };
  return known.nonce;
}

/** The nonce that an answer brings. */
export function nonceIn(answer: Answer): string {
  const value = answer.headers.get("dpop-nonce");
  if (!value) throw new Error(`expected DPoP-Nonce, got ${answer.status} ${answer.text}`);
  return value;
}

/** How a request with a proof is sent. */
export interface ProvenCall extends Call {
  /** An access token, sent under the scheme `DPoP`. */
  access?: string | undefined;
  change?: ProofChange;
  /** The header itself, in the place of a proof made for the request. */
  dpop?: string;
}

/** Sends a request with a proof of the key, and a nonce in it. */
export async function sendProven(
  key: Es256Key,
  method: string,
  path: string,
  body?: unknown,
  { access, change, dpop, ...call }: ProvenCall = {},
): Promise<Answer> {
  const [bare = path] = path.split("?");
  const header = dpop ?? (await proofFor(key, { method, path: bare, access }, change));
  const authorization: Record<string, string> = access === undefined ? {} : { authorization: `DPoP ${access}` };
  const answer = await send(method, path, body, {
    ...call,
    headers: { ...authorization, dpop: header, ...call.headers },
  });
  // "Every answer to a request with a `DPoP` header carries `DPoP-Nonce`."
  expect(answer.headers.get("dpop-nonce") ?? "", `${method} ${path}: ${answer.status} ${answer.text}`).toMatch(/^\S+$/);
  return answer;
}

/** `POST` with a proof. */
export const postProven = (key: Es256Key, path: string, body: unknown, call?: ProvenCall): Promise<Answer> =>
  sendProven(key, "POST", path, body, call);

/** `POST /auth/login` with a proof, from the person's own address. */
export const logInBound = (key: Es256Key, person: Person, more: Json = {}, call: ProvenCall = {}): Promise<Answer> =>
  postProven(
    key,
    "/auth/login",
    { email: person.email, password: person.password, ...more },
    { source: person.source, ...call },
  );

/** A session bound to the key, of somebody without factors. */
export const boundSession = async (key: Es256Key, person: Person, more: Json = {}): Promise<Session> =>
  sessionOf(await logInBound(key, person, more));

/** `GET /auth/me` with the token under the scheme `DPoP` and a proof. */
export const meBound = (key: Es256Key, access: string, call: ProvenCall = {}): Promise<Answer> =>
  sendProven(key, "GET", "/auth/me", undefined, { access, ...call });

/** `POST /auth/refresh` with the token in the body and a proof. */
export const refreshedBound = (key: Es256Key, refresh: string, call: ProvenCall = {}): Promise<Answer> =>
  postProven(key, "/auth/refresh", { refresh_token: refresh }, call);
