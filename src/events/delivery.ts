import { ALERT_MAIL_WINDOW_MS, ALERT_MAILS_PER_WINDOW, ALERTS_IN_ONE_MAIL } from "../event-policy.ts";
import type { Alert, ChangedAlert } from "./alert.ts";
import type { Pattern } from "./detectors/detector.ts";
import { eventId } from "./security-event.ts";

/** What operators hear of an alert: that it was opened, or that its severity has risen. */
export interface AlertNews {
  change: "opened" | "raised";
  alert: Alert;
}

/** Something an alert has still to cause. */
export interface Delivery {
  /** The same at every try: what makes whoever gets it twice take it once. */
  id: string;
  channel: "webhook" | "mail" | "throttle_source" | "ask_proof";
  /** The address of a mail, the subject of a reaction. */
  target: string;
  /** Epoch milliseconds. */
  dueAt: number;
  /** How many were made. */
  tries: number;
  /** Of a webhook what is posted; of a mail {@link MailOfAlerts}; of a reaction its {@link Cause}. */
  body: string;
}

/** The alert that has caused a reaction. */
export interface Cause {
  alert: Alert;
}

/** Where alerts go: what the settings say of it. */
export interface Channels {
  webhook: boolean;
  mail: readonly string[];
  reactions: ReadonlySet<string>;
}

/** What one mail tells. `more`: alerts that it only counts. */
export interface MailOfAlerts {
  news: AlertNews[];
  more: number;
}

/** Mails of the present window: when it began, how many have left, and what waits for its end. */
export interface MailWindow extends MailOfAlerts {
  since: number;
  sent: number;
}

/** Nothing was mailed for long. */
export const NO_MAILS: MailWindow = { since: 0, sent: 0, news: [], more: 0 };

/** Whether operators hear of a change of an alert: never of mere growth. */
export function isNews(changed: ChangedAlert): changed is ChangedAlert & AlertNews {
  return changed.change === "opened" || changed.change === "raised";
}

/**
 * What leaves by mail: each piece of news by itself, up to {@link ALERT_MAILS_PER_WINDOW} in a window; what comes after that waits
 * for its end and leaves in one mail.
 */
export function mailsOf(
  window: MailWindow,
  news: readonly AlertNews[],
  now: number,
): { window: MailWindow; mails: MailOfAlerts[] } {
  const mails: MailOfAlerts[] = [];
  let next: MailWindow = { ...window, news: [...window.news] };
  if (now - next.since >= ALERT_MAIL_WINDOW_MS) {
    if (next.news.length > 0) mails.push({ news: next.news, more: next.more });
    next = { ...NO_MAILS, since: mails.length > 0 ? now : 0, sent: mails.length };
  }
  for (const one of news) {
    if (next.sent < ALERT_MAILS_PER_WINDOW) {
      mails.push({ news: [one], more: 0 });
      next = { ...next, since: next.sent === 0 ? now : next.since, sent: next.sent + 1 };
    } else if (next.news.length < ALERTS_IN_ONE_MAIL) next.news.push(one);
    else next.more += 1;
  }
  return { window: next, mails };
}

/** Everything that alerts and mails of this moment cause, ready to be stored. */
export function deliveriesOf(
  changed: readonly ChangedAlert[],
  mails: readonly MailOfAlerts[],
  { webhook, mail, reactions }: Channels,
  now: number,
): Delivery[] {
  const fresh = { dueAt: now, tries: 0 };
  const posts = webhook
    ? changed
        .filter(isNews)
        .map(
          (one): Delivery => ({ ...fresh, id: webhookId(one), channel: "webhook", target: "", body: postOf(one, now) }),
        )
    : [];
  const letters = mails.flatMap((one) =>
    mail.map(
      (target): Delivery => ({ ...fresh, id: eventId(now), channel: "mail", target, body: JSON.stringify(one) }),
    ),
  );
  const acts = changed.flatMap(({ change, alert, goesOn }) => {
    const channel = change === "opened" || goesOn ? reactionOf(alert) : undefined;
    if (!channel || !reactions.has(channel)) return [];
    const cause: Cause = { alert };
    return [{ ...fresh, id: eventId(now), channel, target: alert.subject, body: JSON.stringify(cause) }];
  });
  return [...posts, ...letters, ...acts];
}

const FROM_ONE_SOURCE: readonly Pattern[] = ["password_spraying", "slow_password_spraying", "credential_stuffing"];
const ON_ONE_ACCOUNT: readonly Pattern[] = ["brute_force", "distributed_brute_force"];

/** What an alert may do by itself. */
function reactionOf({ pattern, subject }: Alert): "throttle_source" | "ask_proof" | undefined {
  if (FROM_ONE_SOURCE.includes(pattern) && subject.startsWith("source:")) return "throttle_source";
  return ON_ONE_ACCOUNT.includes(pattern) && /^(account|address):/.test(subject) ? "ask_proof" : undefined;
}

/** Without a full stop, which stands between the parts of what is signed (Standard Webhooks, "Signature scheme"). */
function webhookId({ change, alert }: AlertNews): string {
  return `alert_${alert.id}_${change}_${alert.severity}`;
}

/** The payload: names as on the wire, times in RFC 3339. It holds no secret, and of a client no more than its group. */
function postOf({ change, alert }: AlertNews, now: number): string {
  const { id, pattern, subject, severity, tries, addresses, sources } = alert;
  return JSON.stringify({
    type: `alert.${change}`,
    timestamp: new Date(now).toISOString(),
    data: {
      ...{ id, pattern, subject, severity, tries, addresses, sources },
      opened_at: new Date(alert.openedAt).toISOString(),
      first_at: new Date(alert.firstAt).toISOString(),
      last_at: new Date(alert.lastAt).toISOString(),
    },
  });
}
