import { app } from "./app.ts";
import { openService, renewKeyRing, type Service } from "./service.ts";

export { AccountObject } from "./account/account-object.ts";
export { GateObject } from "./gate/gate-object.ts";

export default {
  fetch: app.fetch,
  async scheduled(_event, env, context) {
    const now = Date.now();
    const service = openService(env, (work) => context.waitUntil(work), {});
    const renewed = renewKeyRing(env, now);
    // Wrong settings are in the log of every request already.
    const jobs = "problems" in service ? undefined : jobsOf(service, now);
    // Side by side: what is due does not wait for a store that takes no copy.
    const [copy] = await Promise.allSettled([renewed, jobs]);
    if (copy.status === "rejected") throw copy.reason;
  },
} satisfies ExportedHandler<Env>;

/** No request waits for what only the cron needs to be evaluated. */
async function jobsOf(service: Service, now: number): Promise<void> {
  const { everyMinute } = await import("./flows/every-minute.ts");
  await everyMinute(service, now);
}
