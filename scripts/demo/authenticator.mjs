import { setTimeout as sleep } from "node:timers/promises";
import { Secret, TOTP } from "otpauth";

const STEP_MS = 30_000;

/** Enough for a request that carries the oldest code of the window to arrive while that code still counts. */
const LEAST_TIME_LEFT_MS = 3_000;

/**
 * An authenticator app, an implementation of RFC 6238 that is not ours. A service accepts each 30-second step once
 * and never goes back, but it forgives a clock that is one step off. So three codes in a row can be used without
 * waiting: that of the step before, the present one, and the next.
 */
export class Authenticator {
  #totp;
  #startedAt;

  constructor(totp, startedAt) {
    this.#totp = totp;
    this.#startedAt = startedAt;
  }

  /** Scans a QR code, so to speak. Waits up to three seconds when the present step is about to end. */
  static async scan(secret) {
    const left = STEP_MS - (Date.now() % STEP_MS);
    if (left < LEAST_TIME_LEFT_MS) await sleep(left);
    return new Authenticator(new TOTP({ secret: Secret.fromBase32(secret) }), Date.now());
  }

  /** The code shown `offset` steps after the one in which the demo began to use the app. */
  code(offset) {
    return this.#totp.generate({ timestamp: this.#startedAt + offset * STEP_MS });
  }

  /** Six digits that no step nearby accepts. */
  wrongCode() {
    const nearby = [-2, -1, 0, 1, 2, 3].map((offset) => this.code(offset));
    const digits = Array.from({ length: 10 }, (_, digit) => `${digit}`.repeat(6));
    return digits.find((code) => !nearby.includes(code));
  }
}
