import { inject } from "vitest";
import { startInstance } from "../../scripts/instance.mjs";
import { cheapConfig } from "./cheap-hashes.ts";

/** In place of a shared instance that has ended before its time; it ends with this place of the pool. */
let successor: string | undefined;

/** Origin of the shared instance of this place of the pool: no other file uses it while this one runs. */
export function sharedInstance(): string {
  const place = Number(process.env.VITEST_POOL_ID);
  const url = successor ?? inject("urls")[place - 1];
  if (url === undefined) throw new Error(`there is no instance for place ${place} of the pool`);
  return url;
}

/** Starts another one where the shared instance does not answer any more. */
export async function sharedInstanceThatAnswers(): Promise<string> {
  const answers = await fetch(`${sharedInstance()}/healthz`).catch(() => undefined);
  if (!answers?.ok) successor = (await startInstance({ args: ["--config", cheapConfig()] })).url;
  return sharedInstance();
}
