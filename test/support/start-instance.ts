import type { TestProject } from "vitest/node";
import { startInstance } from "../../scripts/instance.mjs";

declare module "vitest" {
  interface ProvidedContext {
    /** Origin of the instance that the whole run shares, e.g. `http://localhost:40123`. */
    url: string;
  }
}

/** One instance of the product for all system tests: the real `wrangler dev`, a state folder of its own. */
export default async function startSharedInstance(project: TestProject): Promise<() => Promise<void>> {
  const instance = await startInstance();
  project.provide("url", instance.url);
  return () => instance.stop();
}
