import { REPORT_WINDOW_MS, REPORTED_SUBJECTS_MAX, REPORTS_IN_WINDOW } from "../edge-policy.ts";

interface Held {
  endsAt: number;
  /** What was told one by one. */
  told: number;
  /** What has come after that, and is told together when the window ends. */
  count: number;
}

/**
 * Holds back what comes in floods, so that junk requests do not become as many calls of an object: of each subject the
 * first few of a second are told at once, and what follows together when it is over, with its number. Beyond so many
 * subjects at a time nothing is told: each refusal is a line in the log anyway.
 */
export class HeldReports {
  #held = new Map<string, Held>();

  /** Tells of one more, or of several when a window ends, if it falls to this call. `now` in epoch milliseconds. */
  async report(subject: string, now: number, tell: (count: number) => Promise<void>): Promise<void> {
    const held = this.#windowOf(subject, now);
    if (!held) return;
    if (held.told < REPORTS_IN_WINDOW) {
      held.told += 1;
      await tell(1);
      return;
    }
    held.count += 1;
    // The first that is held back waits for all of them.
    if (held.count > 1) return;
    await new Promise((resolve) => setTimeout(resolve, held.endsAt - now));
    if (this.#held.get(subject) === held) this.#held.delete(subject);
    await tell(held.count);
  }

  #windowOf(subject: string, now: number): Held | undefined {
    const running = this.#held.get(subject);
    if (running && now < running.endsAt) return running;
    if (this.#held.size >= REPORTED_SUBJECTS_MAX) this.#sweep(now);
    if (this.#held.size >= REPORTED_SUBJECTS_MAX) return undefined;
    const fresh = { endsAt: now + REPORT_WINDOW_MS, told: 0, count: 0 };
    this.#held.set(subject, fresh);
    return fresh;
  }

  #sweep(now: number): void {
    for (const [subject, { endsAt }] of this.#held) if (endsAt <= now) this.#held.delete(subject);
  }
}
