import { app } from "./app.ts";
import { renewKeyRingCopy } from "./service.ts";

export { AccountObject } from "./account/account-object.ts";
export { GateObject } from "./gate/gate-object.ts";

export default {
  fetch: app.fetch,
  async scheduled(_event, env) {
    await renewKeyRingCopy(env, Date.now());
  },
} satisfies ExportedHandler<Env>;
