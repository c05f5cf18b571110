import { inject } from "vitest";

/** Origin of the shared instance of this place of the pool: no other file uses it while this one runs. */
export function sharedInstance(): string {
  const place = Number(process.env.VITEST_POOL_ID);
  const url = inject("urls")[place - 1];
  if (url === undefined) throw new Error(`there is no instance for place ${place} of the pool`);
  return url;
}
