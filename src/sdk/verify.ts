// What is published as `sallyport/verify`: everything that a service needs, under one name.

export type { AccessTokenClaims, Actor } from "./access-token.ts";
export { type KeySet, type KeySetOptions, publishedKeys } from "./key-set.ts";
export { proofMemory, type SeenProof, type ShownProof } from "./proof-memory.ts";
export { KeysUnavailable, type TokenDefect, TokenRefused } from "./refused.ts";
export { type AuthEnv, type RequireAuthOptions, requireAuth } from "./require-auth.ts";
export { type RevokedSessions, type RevokedSessionsOptions, revokedSessions } from "./revoked-sessions.ts";
export type { Fetch } from "./small-fetch.ts";
export { type PresentedProof, type VerifierOptions, verifyAccessToken } from "./verify-access-token.ts";
