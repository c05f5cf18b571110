import { Hono } from "hono";
import { type AuthEnv, type RequireAuthOptions, requireAuth } from "../../../src/sdk/require-auth.ts";
import { ONE_KEY } from "./feeds.ts";
import { AUDIENCE, ISSUER, NOW } from "./forged-tokens.ts";

/** Where the service believes to be. */
export const HERE = "https://orders.example.com";

/** A service with one route, which lets in who may; so many middlewares in a row ask. */
export function guarded(options: Partial<RequireAuthOptions> = {}, times = 1) {
  const app = new Hono<AuthEnv>();
  const all = { issuer: ISSUER, audience: AUDIENCE, keys: ONE_KEY, now: () => NOW, ...options };
  for (let count = 0; count < times; count += 1) app.use("/orders/*", requireAuth(all));
  app.all("/orders/*", (c) => c.json({ auth: c.get("auth") }));
  app.onError((error, c) => c.text(error.message, 500));
  return app;
}

/** Asks the service, with these headers. */
export const ask = async (app: Hono<AuthEnv>, headers: Record<string, string> | Headers = {}, path = "/orders/mine") =>
  app.request(`${HERE}${path}`, { headers });

/** What a client can see of an answer. */
export async function seen(answer: Response) {
  return { status: answer.status, challenge: answer.headers.get("WWW-Authenticate") };
}
