import type { Appointment } from "../directory/appointments.ts";
import { logLine } from "../log.ts";
import { recoveryReady } from "../mail/messages.ts";
import {
  APPOINTMENT_RETRY_MS,
  APPOINTMENTS_PER_MINUTE,
  RECOVERY_FINISH_LINK_TTL_MS,
  RECOVERY_REMINDER_MS,
} from "../policy.ts";
import type { Service, Visit } from "../service.ts";
import { releasePasskeys } from "./change-factors.ts";
import { deleteDue } from "./delete-account.ts";
import { mailedLink, verdictOn } from "./mailed-links.ts";
import { remindOfRecovery } from "./recover-account.ts";

/** Keeps what is due. One that fails is due again a little later, and holds none of the others up. */
export async function keepAppointments(service: Service, visit: Visit): Promise<void> {
  for (const due of await service.appointments.due(visit.now, APPOINTMENTS_PER_MINUTE)) {
    const again = visit.now + APPOINTMENT_RETRY_MS;
    try {
      // Moved first: of two crons that run at once one keeps it, and whatever breaks off is taken up again.
      if (await service.appointments.move(due, again)) await keep(service, visit, { ...due, dueAt: again });
    } catch (error) {
      logLine({ level: "error", event: "appointment_failed", kind: due.kind, error: String(error) });
    }
  }
}

async function keep(service: Service, visit: Visit, appointment: Appointment): Promise<void> {
  const { userId, kind } = appointment;
  if (kind === "recovery") return goOnWithRecovery(service, visit, appointment);
  const outcome = await (kind === "deletion" ? deleteDue : closeUndo)(service, visit, userId);
  // A change that is half way is decided within a minute or two.
  if (outcome !== "undecided") await service.appointments.done(appointment);
}

/** The old address of an email change cannot take it back any more. */
async function closeUndo(service: Service, visit: Visit, userId: string): Promise<"lapsed" | "undecided"> {
  const [ring, user] = await Promise.all([service.keyRing(visit.now), service.users.findById(userId)]);
  if (!user) return "lapsed";
  const closed = await service.account(userId).lapseUndo(verdictOn(user, ring, visit));
  if (closed.kind === "undecided") return closed.kind;
  await releasePasskeys(service, visit, userId, closed.credentialIds);
  await service.userChanges.releaseAddresses(userId, visit.now);
  return closed.kind;
}

/** A reminder each day of the wait; after it the link that ends it, for a day. */
async function goOnWithRecovery(service: Service, visit: Visit, appointment: Appointment): Promise<void> {
  const { userId } = appointment;
  const [ring, user, due] = await Promise.all([
    service.keyRing(visit.now),
    service.users.findById(userId),
    service.account(userId).dueOfRecovery(),
  ]);
  if (!user || due.kind === "none") return service.appointments.done(appointment);
  const { id, finishAfter } = due.recovery;
  if (due.kind === "announce") {
    const payload = { accountId: userId, id };
    const link = await mailedLink(service, ring, "recovery_finish", payload, finishAfter + RECOVERY_FINISH_LINK_TTL_MS);
    // Without this mail the days of waiting were for nothing: it is tried until it has left.
    if (!(await service.send(recoveryReady(service.config.appName, user.email, link)))) return;
    await service.account(userId).noteAnnouncement(id);
  }
  if (due.kind === "remind") await remindOfRecovery(service, ring, user, id, finishAfter);
  const tomorrow = visit.now + RECOVERY_REMINDER_MS;
  await service.appointments.move(appointment, due.kind === "remind" ? Math.min(tomorrow, finishAfter) : tomorrow);
}
