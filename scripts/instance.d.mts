/** What a private instance may be told; everything has a default. */
export interface InstanceOptions {
  /** Port to listen on; a free one by default. */
  port?: number;
  /** State folder to use and keep, e.g. that of an instance that was killed; a temporary one by default. */
  state?: string;
  /** ROOT_SECRET of the instance: random by default, none at all with `null`. */
  rootSecret?: string | null;
  /** Further settings, e.g. `{ PROFILE: "…" }`; they go before everything else that sets them. */
  vars?: Record<string, string>;
  /** Further arguments of `wrangler dev`. */
  args?: readonly string[];
  /** ISSUER, when it shall not be the address. */
  issuer?: string;
}

/** A running product with a state of its own. */
export interface Instance {
  /** Origin, e.g. `http://localhost:40123`; also its ISSUER by default. */
  url: string;
  port: number;
  /** Its state folder, for `startInstance({ state })`. */
  state: string;
  /** Its ROOT_SECRET, for `startInstance({ state, rootSecret })`; `null` when it has none. */
  rootSecret: string | null;
  /** Process id, and id of the process group that holds wrangler and every process under it. */
  pid: number;
  /** Everything that it printed so far, without colours. */
  output(): string;
  /** Ends all its processes, then removes its temporary folder, after `kill()` too. A state passed in stays. */
  stop(): Promise<void>;
  /** SIGKILL for all its processes at once. The state stays until `stop()`. */
  kill(): Promise<void>;
}

/**
 * Starts a private instance of the product.
 *
 * @throws Error with everything that it printed, when it ends or is not ready within 60 seconds
 */
export function startInstance(options?: InstanceOptions): Promise<Instance>;
