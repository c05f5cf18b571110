import { STREAM_RECHECK_MS } from "../event-policy.ts";
import { isRefusal } from "../refusal.ts";
import type { Service } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { admitAdmin } from "./admin-access.ts";

/** An admin who reads for longer than a moment, and may stop being one meanwhile. */
export interface AdminReader {
  /** Whether the reader may go on. Asks the stores now and then, well within half a minute. */
  mayGoOn(): Promise<boolean>;
}

/** A reader who has been admitted just now. */
export function admittedReader(service: Service, bearer: AccessToken): AdminReader {
  let askedAt = Date.now();
  return {
    async mayGoOn() {
      const now = Date.now();
      if (now < askedAt + STREAM_RECHECK_MS) return true;
      askedAt = now;
      return !isRefusal(await admitAdmin(service, bearer, "read", now));
    },
  };
}
