/**
 * The one alarm of an object, which several of its parts wish for: the earliest wish counts. What was wished for before
 * the object lost its memory is looked up when it wakes, so that no later wish takes its place.
 */
export class EarliestAlarm {
  #context: DurableObjectState;
  /** Epoch milliseconds. */
  #ringsAt = Number.POSITIVE_INFINITY;

  constructor(context: DurableObjectState) {
    this.#context = context;
    context.blockConcurrencyWhile(async () => {
      this.#ringsAt = (await context.storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
    });
  }

  /** Has the object called at that moment (epoch milliseconds) or before. Part of the transaction of this turn. */
  ringAt(at: number): void {
    if (this.#ringsAt <= at) return;
    this.#ringsAt = at;
    this.#context.waitUntil(this.#context.storage.setAlarm(at));
  }

  /** The alarm has rung: whatever is still to be done wishes anew. */
  hasRung(): void {
    this.#ringsAt = Number.POSITIVE_INFINITY;
  }
}
