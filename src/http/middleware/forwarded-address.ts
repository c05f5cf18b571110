import { createMiddleware } from "hono/factory";
import { visitForwarded } from "../../flows/forwarded-address.ts";
import { isRefusal } from "../../refusal.ts";
import { clientCredentials } from "../client-credentials.ts";
import type { Api } from "../context.ts";
import { CLIENT_ADDRESS, refuse } from "../problem.ts";

/**
 * Takes the address of a user from a back end that may forward it, and refuses it from anybody else. Nothing else that
 * claims to name an address, such as X-Forwarded-For, is ever read.
 */
export const forwardedAddress = createMiddleware<Api>(async (c, next) => {
  const address = c.req.header(CLIENT_ADDRESS);
  if (address === undefined) return next();
  const isPlace = c.req.method === "POST" && c.req.path.startsWith("/auth/");
  const visit: ReturnType<typeof visitForwarded> = isPlace
    ? visitForwarded(c.get("service"), c.get("visit"), address, clientCredentials(c))
    : { refused: "client_address_out_of_place" };
  if (isRefusal(visit)) return refuse(c, visit);
  c.set("visit", visit);
  return next();
});
