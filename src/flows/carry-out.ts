import { DELIVERIES_AT_ONCE, DELIVERIES_PER_MINUTE, DELIVERY_WAITS_MS, REACTION_MS } from "../event-policy.ts";
import type { Cause, Delivery, MailOfAlerts } from "../events/delivery.ts";
import { securityEvent } from "../events/security-event.ts";
import { postWebhook } from "../events/webhook.ts";
import { addressGate, type GateRequest, networkGate } from "../gate/subjects.ts";
import { emailDigest } from "../keys/keyed-digest.ts";
import { logLine } from "../log.ts";
import { alertMail } from "../mail/alert-mail.ts";
import type { Service, Visit } from "../service.ts";

/**
 * Does what alerts have caused and is due: posts to the webhook, mails to operators, reactions. One that fails is tried
 * again later under the same id, and holds none of the others up.
 */
export async function carryOut(service: Service, visit: Visit): Promise<void> {
  const due = await service.deliveries.due(visit.now, DELIVERIES_PER_MINUTE);
  const begun = Date.now();
  let turn = visit;
  for (let first = 0; first < due.length; first += DELIVERIES_AT_ONCE) {
    const together = due.slice(first, first + DELIVERIES_AT_ONCE);
    await Promise.all(together.map((delivery) => attempt(service, turn, delivery)));
    // Receivers that do not answer may take longer than a minute together: what is tried late is due again late.
    turn = { ...visit, now: visit.now + Date.now() - begun };
  }
}

async function attempt(service: Service, visit: Visit, delivery: Delivery): Promise<void> {
  const { id, channel, tries } = delivery;
  const wait = DELIVERY_WAITS_MS[tries];
  // The last try has broken off: nobody knows how it ended.
  if (tries >= TRIES_MAX) return giveUp(service, delivery);
  try {
    // Taken first: of two crons that run at once one does it, and what breaks off is taken up again.
    if (!(await service.deliveries.take(delivery, visit.now + (wait ?? DELIVERY_WAITS_MS[0])))) return;
    await DO[channel](service, visit, delivery);
    await service.deliveries.done(id);
  } catch (error) {
    logLine({ level: "error", event: "alert_not_delivered", channel, id, tries: tries + 1, error: String(error) });
    if (wait === undefined) await giveUp(service, delivery);
  }
}

const TRIES_MAX = DELIVERY_WAITS_MS.length + 1;

async function giveUp(service: Service, { id, channel, tries }: Delivery): Promise<void> {
  logLine({ level: "error", event: "alert_given_up", channel, id, tries: Math.min(tries + 1, TRIES_MAX) });
  await service.deliveries.done(id).catch(() => undefined);
}

/** How each of them is done. What the settings do not name any more is done by doing nothing. */
const DO: Record<Delivery["channel"], (service: Service, visit: Visit, delivery: Delivery) => Promise<void>> = {
  async webhook({ config }, { now }, { id, body }) {
    const { webhook } = config.alerting;
    if (webhook) await postWebhook(webhook, id, body, now);
  },
  async mail(service, _, { id, target, body }) {
    const { appName, issuer, alerting } = service.config;
    if (!alerting.mail.includes(target)) return;
    const { news, more } = JSON.parse(body) as MailOfAlerts;
    const message = { ...alertMail(appName, target, issuer, news, more), idempotencyKey: id };
    if (!(await service.send(message))) throw new Error("the mail did not leave");
  },
  throttle_source: (service, visit, delivery) => react(service, visit, delivery, networkOf),
  ask_proof: (service, visit, delivery) => react(service, visit, delivery, addressOf),
};

type GateOf = (service: Service, visit: Visit, subject: string) => Promise<GateRequest | undefined>;

/** Imposes what the reaction is, and records it under an id that is the same at every try. */
async function react(service: Service, visit: Visit, delivery: Delivery, gateOf: GateOf): Promise<void> {
  const { id, channel, target, body } = delivery;
  if (channel === "webhook" || channel === "mail" || !service.config.alerting.reactions.has(channel)) return;
  const gate = await gateOf(service, visit, target);
  if (!gate) return;
  await service.gate(gate.shard).impose(gate.subjects, visit.now + REACTION_MS);
  const { alert } = JSON.parse(body) as Cause;
  const [kind, ...name] = target.split(":");
  const subject = kind === "account" || kind === "address" ? { [kind]: name.join(":") } : {};
  const from = kind === "source" ? { source: name.join(":") } : undefined;
  const about = { alert: alert.id, pattern: alert.pattern };
  const event = securityEvent(
    { kind: "authn_login_lock", reason: channel, actor: "reactions", about, ...subject },
    from,
    visit.now,
  );
  await service.events.add([{ ...event, id }]);
}

const networkOf: GateOf = async (service, { now }, subject) =>
  networkGate(await service.keyRing(now), subject.slice("source:".length));

/** The gate of an address. An account's is the one that the directory knows; one that is gone has none. */
const addressOf: GateOf = async (service, { now }, subject) => {
  const name = subject.slice(subject.indexOf(":") + 1);
  if (subject.startsWith("address:")) return addressGate(name);
  const user = await service.users.findById(name);
  return user ? addressGate(await emailDigest(await service.keyRing(now), user.emailKey)) : undefined;
};
