import { describe, expect, it } from "vitest";
import { ALERT_MAIL_WINDOW_MS, ALERT_MAILS_PER_WINDOW, ALERTS_IN_ONE_MAIL } from "../../../src/event-policy.ts";
import type { Alert } from "../../../src/events/alert.ts";
import { type AlertNews, deliveriesOf, type MailWindow, mailsOf, NO_MAILS } from "../../../src/events/delivery.ts";
import { alertMail } from "../../../src/mail/alert-mail.ts";

const NOW = Date.UTC(2026, 0, 5, 10);
const alert = (id: string, members: Partial<Alert> = {}): Alert => ({
  ...{ id, pattern: "password_spraying", subject: "source:192.0.2.0/24", severity: "low" },
  ...{ openedAt: NOW, firstAt: NOW, lastAt: NOW, tries: 1, addresses: 1, sources: 1 },
  ...members,
});
const news = (count: number): AlertNews[] =>
  Array.from({ length: count }, (_, index) => ({ change: "opened", alert: alert(String(index)) }));
const sizes = (mails: { news: AlertNews[] }[]) => mails.map((mail) => mail.news.length);

describe("mails of alerts", () => {
  it("are one each, up to the limit; the rest waits for the end of the hour that the first one began", () => {
    const first = mailsOf(NO_MAILS, news(1), NOW);
    expect([sizes(first.mails), first.window.since]).toEqual([[1], NOW]);
    const flood = mailsOf(first.window, news(ALERT_MAILS_PER_WINDOW + 4), NOW + 60_000);
    expect(sizes(flood.mails)).toEqual(Array(ALERT_MAILS_PER_WINDOW - 1).fill(1));
    expect(flood.window).toMatchObject({ since: NOW, sent: ALERT_MAILS_PER_WINDOW });
    expect(flood.window.news).toHaveLength(5);
    expect(mailsOf(flood.window, [], NOW + ALERT_MAIL_WINDOW_MS - 1).mails).toEqual([]);
    const end = mailsOf(flood.window, news(1), NOW + ALERT_MAIL_WINDOW_MS);
    expect(sizes(end.mails)).toEqual([5, 1]);
    expect(end.window).toEqual({ since: NOW + ALERT_MAIL_WINDOW_MS, sent: 2, news: [], more: 0 });
  });

  it("hold so many alerts and count the others", () => {
    const full: MailWindow = { since: NOW, sent: ALERT_MAILS_PER_WINDOW, news: [], more: 0 };
    const { window } = mailsOf(full, news(ALERTS_IN_ONE_MAIL + 30), NOW + 1);
    expect([window.news.length, window.more]).toEqual([ALERTS_IN_ONE_MAIL, 30]);
    const [mail] = mailsOf(window, [], NOW + ALERT_MAIL_WINDOW_MS).mails;
    const { subject, text } = alertMail("App", "a@example.com", "https://a.example", mail?.news ?? [], mail?.more ?? 0);
    expect(subject).toBe("80 alerts at App");
    expect(text).toContain("There are 30 more");
  });

  it("change nothing where nothing is told", () => {
    expect(mailsOf(NO_MAILS, [], NOW)).toEqual({ window: NO_MAILS, mails: [] });
  });

  it.each([
    ["source:2001:db8::/48", "from 2001:db8::/48"],
    ["account:5f0c", "against the account 5f0c"],
    ["address:ab12", "against the address with the digest ab12"],
    ["service", "against the whole service"],
  ])("name %s in words", (subject, words) => {
    const one = { change: "opened" as const, alert: alert("1", { subject }) };
    expect(alertMail("App", "a@example.com", "https://a.example", [one], 0).text).toContain(words);
  });
});

describe("what news causes", () => {
  const everything = {
    webhook: true,
    mail: ["a@x.example", "b@x.example"],
    reactions: new Set(["throttle_source", "ask_proof"]),
  };
  const nothing = { webhook: false, mail: [], reactions: new Set<string>() };
  const channelsOf = (one: AlertNews, channels = everything) =>
    deliveriesOf([one], [{ news: [one], more: 0 }], channels, NOW).map(({ channel, target }) =>
      `${channel} ${target}`.trim(),
    );

  it("is what the settings name, and nothing without them", () => {
    const [one] = news(1) as [AlertNews];
    const expected = ["webhook", "mail a@x.example", "mail b@x.example", "throttle_source source:192.0.2.0/24"];
    expect(channelsOf(one)).toEqual(expected);
    expect(channelsOf(one, nothing)).toEqual([]);
  });

  it.each<[Partial<Alert>, string | undefined]>([
    [{ pattern: "credential_stuffing" }, "throttle_source"],
    [{ pattern: "slow_password_spraying" }, "throttle_source"],
    [{ pattern: "slow_password_spraying", subject: "service" }, undefined],
    [{ pattern: "brute_force", subject: "account:a" }, "ask_proof"],
    [{ pattern: "distributed_brute_force", subject: "address:a" }, "ask_proof"],
    [{ pattern: "brute_force", subject: "source:192.0.2.0/24" }, undefined],
    [{ pattern: "refresh_token_reuse", subject: "account:a" }, undefined],
  ])("of %o is the reaction %s, once", (members, reaction) => {
    const acts = (change: AlertNews["change"]) =>
      deliveriesOf([{ change, alert: alert("1", members) }], [], { ...everything, webhook: false }, NOW);
    expect(acts("opened").map(({ channel }) => channel)).toEqual(reaction ? [reaction] : []);
    expect(acts("raised")).toEqual([]);
  });

  it("has the same id for the same step, another for the next, and no full stop in it", () => {
    const idsOf = (change: AlertNews["change"], severity: Alert["severity"]) =>
      deliveriesOf([{ change, alert: alert("0-1", { severity }) }], [], { ...nothing, webhook: true }, NOW).map(
        ({ id }) => id,
      );
    const ids = [...idsOf("opened", "low"), ...idsOf("raised", "medium"), ...idsOf("raised", "high")];
    expect(ids).toEqual(["alert_0-1_opened_low", "alert_0-1_raised_medium", "alert_0-1_raised_high"]);
  });
});
