import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Secret, TOTP } from "otpauth";

/** Steps of 30 s since the epoch (RFC 6238 §4.2). */
export const stepAt = (at: number): number => Math.floor(at / 30_000);

/**
 * An authenticator app that hands out each step once, from the earliest the service still accepts (the one before the
 * present) to the latest (the one after), so that three codes follow one another without waiting.
 */
export class Authenticator {
  readonly #totp: TOTP;
  #last = 0;

  constructor(secret: string) {
    this.#totp = new TOTP({ secret: Secret.fromBase32(secret), algorithm: "SHA1", digits: 6, period: 30 });
  }

  /** The code of one step. */
  at(step: number): string {
    return this.#totp.generate({ timestamp: step * 30_000 });
  }

  /** The code of the earliest step not yet handed out; waits only when all three of the window are used up. */
  async next(): Promise<string> {
    const step = Math.max(this.#last + 1, stepAt(Date.now() + 3_000) - 1);
    const opensAt = (step - 1) * 30_000;
    if (opensAt > Date.now()) await sleep(opensAt - Date.now() + 100);
    this.#last = step;
    return this.at(step);
  }

  /** The step of the last code handed out. */
  get lastStep(): number {
    return this.#last;
  }

  /** Six digits that no step near the present has. */
  wrong(): string {
    const now = stepAt(Date.now());
    const near = new Set(Array.from({ length: 11 }, (_, i) => this.at(now - 5 + i)));
    for (;;) {
      const code = String(randomInt(1_000_000)).padStart(6, "0");
      if (!near.has(code)) return code;
    }
  }
}
