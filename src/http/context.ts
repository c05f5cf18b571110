import type { Service, Visit } from "../service.ts";

/** What every handler finds in its context: the middleware of `app.ts` puts it there. */
export interface Api {
  Bindings: Env;
  Variables: { service: Service; visit: Visit; requestId: string };
}
