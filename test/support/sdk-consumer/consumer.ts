import {
  type AccessTokenClaims,
  requireAuth,
  type TokenDefect,
  TokenRefused,
  verifyAccessToken,
} from "sallyport/verify";

// How a service in TypeScript uses the package: compiled in a test, against the types that are published.

export async function ownerOf(token: string): Promise<string> {
  const claims: AccessTokenClaims = await verifyAccessToken(token, { issuer: "https://a.example", audience: "orders" });
  // @ts-expect-error: there is no such claim
  void claims.email;
  return claims.sub;
}

export function isExpired(error: unknown): boolean {
  const code: TokenDefect | undefined = error instanceof TokenRefused ? error.code : undefined;
  return code === "expired";
}

// @ts-expect-error: whose tokens are they?
requireAuth({ audience: "orders" });
