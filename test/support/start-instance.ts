import type { TestProject } from "vitest/node";
import { startInstance } from "../../scripts/instance.mjs";
import { cheapConfig } from "./cheap-hashes.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Origins of the instances that the whole run shares, e.g. `http://localhost:40123`: one for each place of the pool. */
    urls: string[];
  }
}

/**
 * The product for all system tests: the real `wrangler dev`, with a state folder of its own. One for each file that may
 * run at the same time, so that two files share neither its single thread nor its places for hashing.
 */
export default async function startSharedInstances(project: TestProject): Promise<() => Promise<void>> {
  const args = ["--config", cheapConfig()];
  const places = Array.from({ length: project.config.maxWorkers });
  const instances = await Promise.all(places.map(() => startInstance({ args })));
  project.provide(
    "urls",
    instances.map(({ url }) => url),
  );
  return async () => {
    await Promise.all(instances.map((instance) => instance.stop()));
  };
}
