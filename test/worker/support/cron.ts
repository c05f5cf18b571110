import { openService, type Service, type Visit } from "../../../src/service.ts";

/** What the minute cron has, with other bindings if need be. */
export function cronService(bindings: object): Service {
  const service = openService(bindings as Env, () => {}, {});
  if ("problems" in service) throw new Error(service.problems.join());
  return service;
}

/** The visit in whose name the minute cron works. */
export function cronVisit(now: number): Visit {
  return {
    now,
    network: { source: "unknown", network: "unknown" },
    from: { source: "unknown" },
    userAgent: "",
    browser: { isBrowser: false, recognised: undefined, trusted: undefined },
  };
}
