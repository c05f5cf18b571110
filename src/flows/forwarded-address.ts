import { clientNetwork, UNKNOWN_NETWORK } from "../gate/network.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { visitFrom } from "../visit.ts";
import { authenticateClient, type ClientCredentials } from "./authenticate-client.ts";

/** An octet that begins with a zero is ten to some readers and eight to others. */
const AMBIGUOUS = /(^|[.:])0\d+(\.|$)/;

/**
 * The visit of the user whose address a back end forwards. Only a client that may (`forwards_address` in `CLIENTS`), and
 * that shows who it is, is believed. Whatever else comes with an address is refused and not passed over: the back end
 * would go on to count as one client with all of its users.
 */
export function visitForwarded(
  service: Service,
  visit: Visit,
  address: string,
  credentials: ClientCredentials | undefined,
): Visit | Refusal {
  const client = authenticateClient(service, credentials);
  if (isRefusal(client)) return client;
  if (!client.forwardsAddress) return { refused: "client_may_not_forward" };
  const network = clientNetwork(address);
  const isOne = network.source !== UNKNOWN_NETWORK && !AMBIGUOUS.test(address);
  return isOne ? visitFrom(visit, network) : { refused: "client_address_malformed" };
}
