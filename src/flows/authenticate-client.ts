import type { Client } from "../audiences.ts";
import { hasDigest } from "../keys/secret-digest.ts";
import type { ClientRefusal } from "../refusal.ts";
import type { Service } from "../service.ts";

/** What a back end shows of itself. */
export interface ClientCredentials {
  id: string;
  secret: string;
}

/** SHA-256 of nothing that anybody knows. */
const NOBODYS_DIGEST = "0".repeat(64);

/** Who of `CLIENTS` asks. An unknown id costs the same work as a wrong secret. */
export function authenticateClient(
  { config }: Service,
  credentials: ClientCredentials | undefined,
): Client | ClientRefusal {
  if (!credentials) return { refused: "client_unnamed" };
  const client = config.clients.get(credentials.id);
  const isRight = hasDigest(credentials.secret, client?.secretDigest ?? NOBODYS_DIGEST);
  if (!client) return { refused: "client_unknown" };
  return isRight ? client : { refused: "client_secret_wrong" };
}
