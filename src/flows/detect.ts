import { ALERTS_OPENED_PER_STEP, DETECTION_PAGE, DETECTION_PAGES_PER_MINUTE } from "../event-policy.ts";
import { alertOf, type ChangedAlert } from "../events/alert.ts";
import { type Channels, deliveriesOf, isNews, mailsOf, NO_MAILS } from "../events/delivery.ts";
import { catchUp, merged, type Standing, stepAll } from "../events/detection.ts";
import type { Changes, StoredStanding } from "../events/detection-store.ts";
import { DETECTORS } from "../events/detectors/all.ts";
import type { Detector, Finding } from "../events/detectors/detector.ts";
import { countsOf } from "../events/event-counts.ts";
import type { StoredEvent } from "../events/event-store.ts";
import { eventId } from "../events/security-event.ts";
import { logLine } from "../log.ts";
import type { Service, Visit } from "../service.ts";

/** What one minute has looked at. */
interface Look {
  standing: Standing;
  events: StoredEvent[];
  findings: Finding[];
}

/**
 * Shows every detector the events that arrived since its last step, counts them, and writes the alerts that come of it: all
 * in one transaction, which fails when another minute has looked at the same events. What is more than a minute can
 * take waits for the next.
 */
export async function detect(service: Service, { now }: Visit, detectors = DETECTORS): Promise<void> {
  const stored = await service.detection.load();
  const look = await lookOn(service, detectors, await lookBack(service, detectors, stored, now), now);
  const changes = await changesOf(service, stored, look, now);
  if (!isChange(stored, changes)) return;
  const isStored = await service.detection.commit(changes);
  if (!isStored) logLine({ level: "info", event: "detection_overtaken", pass: stored.pass });
}

/** Lets detectors that have failed try again, each with a page of what it has missed. */
async function lookBack(
  service: Service,
  detectors: readonly Detector[],
  stored: StoredStanding,
  now: number,
): Promise<Look> {
  let standing: Standing = stored;
  const findings: Finding[] = [];
  for (const detector of detectors) {
    const behind = standing.detectors.get(detector.pattern)?.behind;
    if (behind === undefined) continue;
    const missed = behind < standing.seq ? await service.events.after(behind, DETECTION_PAGE) : [];
    const stepped = catchUp(detector, standing, missed, now);
    standing = stepped.standing;
    findings.push(...stepped.findings);
  }
  return { standing, events: [], findings };
}

/** Looks at what is new. Without anything new, detectors still hear that time has passed. */
async function lookOn(service: Service, detectors: readonly Detector[], look: Look, now: number): Promise<Look> {
  let { standing } = look;
  const events: StoredEvent[] = [];
  const findings = [...look.findings];
  for (let page = 0; page < DETECTION_PAGES_PER_MINUTE; page += 1) {
    const fresh = await service.events.after(standing.seq, DETECTION_PAGE);
    const stepped = stepAll(detectors, standing, fresh, now);
    standing = stepped.standing;
    findings.push(...stepped.findings);
    events.push(...fresh);
    if (fresh.length < DETECTION_PAGE) break;
  }
  return { standing, events, findings };
}

async function changesOf(service: Service, stored: StoredStanding, look: Look, now: number): Promise<Changes> {
  const changed = await changedAlerts(service, merged(look.findings), now);
  const news = changed.filter(isNews);
  const channels = channelsOf(service);
  const { window, mails } =
    channels.mail.length > 0 ? mailsOf(stored.mail, news, now) : { window: NO_MAILS, mails: [] };
  return {
    from: stored.pass,
    seq: look.standing.seq,
    mail: window,
    detectors: [...look.standing.detectors].filter(([name, kept]) => stored.detectors.get(name) !== kept),
    counts: countsOf(look.events),
    alerts: changed.map(({ alert }) => alert),
    deliveries: deliveriesOf(changed, mails, channels, now),
  };
}

function channelsOf({ config }: Service): Channels {
  const { webhook, mail, reactions } = config.alerting;
  return { webhook: webhook !== undefined, mail, reactions };
}

/** The alerts that findings open or change. */
async function changedAlerts(service: Service, findings: Finding[], now: number): Promise<ChangedAlert[]> {
  const known = new Map((await service.alerts.newestOf(findings)).map((alert) => [nameOf(alert), alert]));
  const all = findings.map((finding) => alertOf(known.get(nameOf(finding)), finding, eventId(now), now));
  const opened = all.filter(({ change }) => change === "opened");
  const waiting = new Set(opened.slice(ALERTS_OPENED_PER_STEP));
  if (waiting.size > 0) logLine({ level: "error", event: "alerts_wait", count: waiting.size });
  return all.filter((one) => one.change !== "same" && !waiting.has(one));
}

function nameOf({ pattern, subject }: Pick<Finding, "pattern" | "subject">): string {
  return `${pattern} ${subject}`;
}

/** A minute in which nothing has happened writes nothing. */
function isChange(stored: StoredStanding, { seq, mail, detectors, alerts }: Changes): boolean {
  const hasMoved = seq !== stored.seq || JSON.stringify(mail) !== JSON.stringify(stored.mail);
  return hasMoved || detectors.length > 0 || alerts.length > 0;
}
