import type { Enroller } from "../flows/authenticate.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";

/** What handlers find in their context. */
export interface Api {
  Bindings: Env;
  Variables: {
    service: Service;
    visit: Visit;
    requestId: string;
    /** Only behind the `signedIn` middleware; a route that forgets it fails, and opens nothing. */
    bearer: AccessToken;
    /** Only behind the `enrolling` middleware. */
    enroller: Enroller;
  };
}
