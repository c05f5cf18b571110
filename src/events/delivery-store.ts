import type { Delivery } from "./delivery.ts";

/** What alerts have still to cause. It is made by the steps of the detectors alone (`detection-store.ts`). */
export interface DeliveryStore {
  /** Those that are due, of each channel the longest first, and of all channels equally many as far as there are. */
  due(now: number, limit: number): Promise<Delivery[]>;
  /** Takes one to try it: it is due again then (epoch milliseconds), should nobody say that it is done. False: another has. */
  take(delivery: Delivery, dueAgainAt: number): Promise<boolean>;
  /** Ends one. */
  done(id: string): Promise<void>;
}

const CHANNELS: readonly Delivery["channel"][] = ["throttle_source", "ask_proof", "mail", "webhook"];
const COLUMNS = "id, channel, target, due_at, tries, body";
/** Of each channel as many as all of them may be: reads no others. */
const DUE = CHANNELS.map(
  (channel) =>
    `SELECT * FROM (SELECT ${COLUMNS} FROM deliveries WHERE channel = '${channel}' AND due_at <= ?1 ORDER BY due_at LIMIT ?2)`,
).join(" UNION ALL ");
const TAKE = "UPDATE deliveries SET due_at = ?3, tries = tries + 1 WHERE id = ?1 AND tries = ?2";

/** The deliveries of one database. */
export function deliveryStoreOf(db: D1Database): DeliveryStore {
  return {
    async due(now, limit) {
      const { results } = await db.prepare(DUE).bind(now, limit).all<DeliveryRow>();
      return inTurns(results.map(({ due_at, ...row }) => ({ ...row, dueAt: due_at }))).slice(0, limit);
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

/** The first of each channel, then the second of each, and so on. */
function inTurns(due: readonly Delivery[]): Delivery[] {
  const channels = CHANNELS.map((channel) => due.filter((one) => one.channel === channel));
  return due.flatMap((_, place) => channels.flatMap((of) => of[place] ?? []));
}

interface DeliveryRow extends Omit<Delivery, "dueAt"> {
  due_at: number;
}
