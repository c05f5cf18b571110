import type { PublicJwk } from "../keys/key-ring.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";

/** The public signing keys (RFC 7517 §5). No storage while the ring in memory is good. */
export async function readJwks(service: Service, visit: Visit): Promise<{ keys: PublicJwk[] }> {
  return { keys: (await service.keyRing(visit.now)).jwks };
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
  };
}

/** The origins that share passkeys with the relying party (WebAuthn §5.11), where there are others than its own. */
export function readRelatedOrigins({ config }: Service): { origins: string[] } | Refusal {
  return config.relatedOrigins.length > 0 ? { origins: config.relatedOrigins } : { refused: "unknown_route" };
}
