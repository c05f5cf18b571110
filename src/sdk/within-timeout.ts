import { JWKS_TIMEOUT_MS } from "../token-policy.ts";

/**
 * Resolves when `flight` does, or when it has taken as long as it may: where requests share a fetch, the runtime may have
 * dropped the one that began it, and the fetch with it. Never rejects: the caller looks at what there is.
 */
export function withinTimeout(flight: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, JWKS_TIMEOUT_MS);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    flight.then(end, end);
  });
}
