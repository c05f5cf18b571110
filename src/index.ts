import { app } from "./app.ts";
import { openService, renewKeyRingCopy } from "./service.ts";

export { AccountObject } from "./account/account-object.ts";
export { GateObject } from "./gate/gate-object.ts";

export default {
  fetch: app.fetch,
  async scheduled(_event, env, context) {
    const now = Date.now();
    await renewKeyRingCopy(env, now);
    const service = openService(env, (work) => context.waitUntil(work), {});
    // Wrong settings are in the log of every request already.
    if ("problems" in service) return;
    // No request waits for what only the cron needs to be evaluated.
    const { everyMinute } = await import("./flows/every-minute.ts");
    await everyMinute(service, now);
  },
} satisfies ExportedHandler<Env>;
