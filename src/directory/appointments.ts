/** Why the minute cron looks at an account. */
export type AppointmentKind = "recovery" | "deletion" | "undo";

/** A moment at which an account has to be looked at. What is due then, its account object says. */
export interface Appointment {
  userId: string;
  kind: AppointmentKind;
  /** Epoch milliseconds. */
  dueAt: number;
}

/** The appointments: the only SQL over them, but for those that are made together with a change of the user. */
export interface Appointments {
  /** Makes one, unless there is one already. */
  make(appointment: Appointment): Promise<void>;
  /** Moves one. False when somebody else has moved or ended it. */
  move(appointment: Appointment, dueAt: number): Promise<boolean>;
  /** Those that are due, the longest first. */
  due(now: number, limit: number): Promise<Appointment[]>;
  /** Ends one, unless it was moved meanwhile. */
  done(appointment: Appointment): Promise<void>;
}

/** The appointments of one database. */
export function appointmentsOf(db: D1Database): Appointments {
  return {
    async make({ userId, kind, dueAt }) {
      const insert = "INSERT INTO appointments VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
      await db.prepare(insert).bind(userId, kind, dueAt).run();
    },
    async move({ userId, kind, dueAt: from }, to) {
      const update = "UPDATE appointments SET due_at = ?4 WHERE user_id = ?1 AND kind = ?2 AND due_at = ?3";
      const { meta } = await db.prepare(update).bind(userId, kind, from, to).run();
      return meta.changes === 1;
    },
    async due(now, limit) {
      const select = "SELECT user_id, kind, due_at FROM appointments WHERE due_at <= ? ORDER BY due_at LIMIT ?";
      const { results } = await db.prepare(select).bind(now, limit).all<Row>();
      return results.map(({ user_id, kind, due_at }) => ({ userId: user_id, kind, dueAt: due_at }));
    },
    async done({ userId, kind, dueAt }) {
      const remove = "DELETE FROM appointments WHERE user_id = ? AND kind = ? AND due_at = ?";
      await db.prepare(remove).bind(userId, kind, dueAt).run();
    },
  };
}

interface Row {
  user_id: string;
  kind: AppointmentKind;
  due_at: number;
}
