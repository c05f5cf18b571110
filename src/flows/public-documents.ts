import type { PublicJwk } from "../keys/key-ring.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { ACRS } from "../tokens/proof.ts";
import { signRevokedSessions } from "../tokens/revoked-sessions.ts";
import { TOKEN_EXCHANGE } from "./exchange-token.ts";

/** The public signing keys (RFC 7517 §5). No storage while the ring in memory is good. */
export async function readJwks(service: Service, visit: Visit): Promise<{ keys: PublicJwk[] }> {
  return { keys: (await service.keyRing(visit.now)).jwks };
}

/** What clients of the OAuth endpoints can find out by themselves (RFC 8414 §2). */
export function readMetadata({ config: { issuer } }: Service) {
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    token_endpoint: `${issuer}/oauth/token`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    response_types_supported: [],
    grant_types_supported: [TOKEN_EXCHANGE],
    token_endpoint_auth_methods_supported: ["client_secret_basic"],
    introspection_endpoint_auth_methods_supported: ["client_secret_basic"],
    revocation_endpoint_auth_methods_supported: ["client_secret_basic"],
    dpop_signing_alg_values_supported: ["ES256"],
    access_token_signing_alg_values_supported: ["ES256"],
    acr_values_supported: ACRS,
    revoked_sessions_uri: `${issuer}/.well-known/revoked-sessions`,
  };
}

/** The sessions that have ended while tokens of them may be alive, as a signed list. One read of D1 a second at most. */
export async function readRevokedSessions(service: Service, visit: Visit): Promise<string> {
  const [ring, list] = await Promise.all([service.keyRing(visit.now), service.endedSessions.list(visit.now)]);
  return signRevokedSessions(ring, service.config.issuer, list);
}

/** Asks every store at once, and names one that does not answer. */
export async function checkReadiness(service: Service): Promise<{ kind: "ready" } | Refusal> {
  const outcomes = await Promise.all(
    Object.entries(service.probes).map(async ([store, probe]) => {
      try {
        await probe();
        return undefined;
      } catch {
        return store;
      }
    }),
  );
  const store = outcomes.find((failed) => failed !== undefined);
  return store === undefined ? { kind: "ready" } : { refused: "store_unavailable", store };
}

/** What a sign-in page must know before anybody is signed in; members as in the contract. */
export function readConfig({ config }: Service) {
  return {
    password_min: config.passwordMin,
    methods: [...(config.secondFactor === "passkey" ? [] : ["totp"]), "passkey", "recovery_code"],
    second_factor: config.secondFactor,
    registration: config.registration,
    trusted_browser_days: config.trustedBrowserDays,
    ...(config.botCheck ? { bot_check: { kind: "turnstile", site_key: config.botCheck.siteKey } } : {}),
  };
}

/** The origins that share passkeys with the relying party (WebAuthn §5.11), where there are others than its own. */
export function readRelatedOrigins({ config }: Service): { origins: string[] } | Refusal {
  return config.relatedOrigins.length > 0 ? { origins: config.relatedOrigins } : { refused: "unknown_route" };
}
