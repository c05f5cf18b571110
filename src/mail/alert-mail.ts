import { compose, utc } from "./layout.ts";
import type { Message } from "./message.ts";

/** What a mail says of an alert. Times in epoch milliseconds. */
export interface AlertInWords {
  change: "opened" | "raised";
  alert: {
    id: string;
    pattern: string;
    subject: string;
    severity: string;
    firstAt: number;
    lastAt: number;
    tries: number;
    addresses: number;
    sources: number;
  };
}

/** Tells an operator of one alert or, where many came together, of all of them. `more`: those that are only counted. */
export function alertMail(appName: string, to: string, issuer: string, news: AlertInWords[], more: number): Message {
  const [first] = news;
  const isOne = news.length === 1 && more === 0 && first !== undefined;
  const count = news.length + more;
  const subject = isOne ? headline(first) : `${count} alerts at ${appName}`;
  const rest = more > 0 ? [`There are ${more} more, which this mail does not list.`] : [];
  return compose(appName, to, isOne ? `${appName}: ${subject}` : subject, [
    isOne
      ? `An alert of ${issuer}:`
      : `${count} alerts of ${issuer} came faster than they are mailed one by one. Here they are together:`,
    ...news.map(sentencesOf),
    ...rest,
    "This is told when an alert is opened and when its severity rises. How it grows is in the list of alerts of the admin API.",
  ]);
}

function headline({ change, alert: { pattern, severity } }: AlertInWords): string {
  const name = pattern.replaceAll("_", " ");
  return change === "opened" ? `${name} (${severity})` : `${name}, now ${severity}`;
}

function sentencesOf(news: AlertInWords): string {
  const { id, subject, firstAt, lastAt, tries, addresses, sources } = news.alert;
  const seen = `${tries} tries, ${addresses} addresses, ${sources} groups of sources`;
  return `${headline(news)}: ${inWords(subject)}, between ${utc(firstAt)} and ${utc(lastAt)}; ${seen}. Alert ${id}.`;
}

/** `source:192.0.2.0/24`, `account:<id>`, `address:<digest>`, or `service`. */
function inWords(subject: string): string {
  const [kind, ...rest] = subject.split(":");
  const name = rest.join(":");
  if (kind === "source") return `from ${name}`;
  if (kind === "account") return `against the account ${name}`;
  return kind === "address" ? `against the address with the digest ${name}` : "against the whole service";
}
