import { SHARED_WAIT_MS, SHARED_WAITS } from "../token-policy.ts";

/** Keeps work alive past the request that began it, as Workers' `waitUntil` does. */
export type Hold = (work: Promise<unknown>) => void;

/** Under which conditions a request begins shared work. */
export interface Terms {
  /** Whether it is time for it. */
  mayBegin: () => boolean;
  /** Whether it is still worth doing after somebody else's came to nothing. */
  mayTakeOver: () => boolean;
  hold: Hold | undefined;
}

/**
 * Work that many requests need and one of them does. On Workers it belongs to the request that began it: when that
 * client hangs up, the runtime drops the work and its timers, unless they are held. For where nobody holds them, nobody
 * depends on another for long: who has waited in vain does it himself, and the rest wait for him. That is no more than
 * a crutch: clients that take over and hang up in turns can keep the others waiting until they give up. Nothing here
 * rejects: whoever waited looks at what there is.
 */
export class SharedWork {
  #work: () => Promise<void>;
  #underWay: Promise<void> | undefined;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Waits for the work that is under way, or begins it. */
  async join({ mayBegin, mayTakeOver, hold }: Terms): Promise<void> {
    for (let waits = 0; waits < SHARED_WAITS; waits += 1) {
      const others = this.#underWay;
      if (!others) return mayBegin() ? this.#begin(hold) : undefined;
      if (await endsInTime(others)) return;
      if (this.#underWay !== others) continue;
      this.#underWay = undefined;
      return mayTakeOver() ? this.#begin(hold) : undefined;
    }
  }

  #begin(hold: Hold | undefined): Promise<void> {
    const end = () => {
      if (this.#underWay === own) this.#underWay = undefined;
    };
    const own: Promise<void> = this.#work().then(end, end);
    this.#underWay = own;
    hold?.(own);
    return own;
  }
}

/** Whether it ends while somebody who shares it should wait. The timer is the waiter's own. */
function endsInTime(work: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), SHARED_WAIT_MS);
    work.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
