import type { Delivery } from "./delivery.ts";

/** What alerts have still to cause. It is made by the steps of the detectors alone (`detection-store.ts`). */
export interface DeliveryStore {
  /** Those that are due, the longest first. */
  due(now: number, limit: number): Promise<Delivery[]>;
  /** Takes one to try it: it is due again then (epoch milliseconds), should nobody say that it is done. False: another has. */
  take(delivery: Delivery, dueAgainAt: number): Promise<boolean>;
  /** Ends one. */
  done(id: string): Promise<void>;
}

const DUE =
  "SELECT id, channel, target, due_at, tries, body FROM deliveries WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";
const TAKE = "UPDATE deliveries SET due_at = ?3, tries = tries + 1 WHERE id = ?1 AND tries = ?2";

/** The deliveries of one database. */
export function deliveryStoreOf(db: D1Database): DeliveryStore {
  return {
    async due(now, limit) {
      const { results } = await db.prepare(DUE).bind(now, limit).all<DeliveryRow>();
      return results.map(({ due_at, ...row }) => ({ ...row, dueAt: due_at }));
    },
    async take({ id, tries }, dueAgainAt) {
      const { meta } = await db.prepare(TAKE).bind(id, tries, dueAgainAt).run();
      return meta.changes === 1;
    },
    async done(id) {
      await db.prepare("DELETE FROM deliveries WHERE id = ?").bind(id).run();
    },
  };
}

interface DeliveryRow extends Omit<Delivery, "dueAt"> {
  due_at: number;
}
