/** A port that nobody listens on just now. */
export function freePort(): Promise<number>;

/** A running `wrangler dev`. */
export interface Service {
  /** Resolves when it listens; fails when it ends first. */
  ready: Promise<void>;
  /** Lets it finish; resolves when everything under it has ended. */
  end(): Promise<number | null>;
}

/** Starts `wrangler dev`, which ends with this process, however this process ends. */
export function startService(options: {
  /** Where it listens, on the loopback address only. */
  port: number;
  /** Further arguments for `wrangler dev`. */
  args?: string[];
  /** Is called with every line that it prints. */
  onLine: (line: string) => void;
}): Service;
