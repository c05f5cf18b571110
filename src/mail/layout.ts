import { EMAIL_MAX_LENGTH } from "../policy.ts";
import type { Message } from "./message.ts";

/** A sentence or a few, or a link, which stands on a line of its own. `label` is what HTML shows instead of it. */
export type Paragraph = string | { link: string; label: string };

/** Makes a mail of its paragraphs, in plain text and in HTML that says the same and loads nothing. */
export function compose(appName: string, to: string, subject: string, paragraphs: Paragraph[]): Message {
  const text = paragraphs.map((part) => (typeof part === "string" ? part : part.link));
  const html = paragraphs.map((part) =>
    typeof part === "string"
      ? `<p>${escapeHtml(part)}</p>`
      : `<p><a href="${escapeHtml(part.link)}">${escapeHtml(part.label)}</a></p>`,
  );
  return {
    to,
    subject: subject.replace(/[\r\n]+/g, " "),
    text: `${[...text, appName].join("\n\n")}\n`,
    html: `<!doctype html><html lang="en"><body>${html.join("")}<p>${escapeHtml(appName)}</p></body></html>`,
  };
}

/** Minutes are enough for a person, and UTC is the same wherever the mail is read. `at` in epoch milliseconds. */
export function utc(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/**
 * Text that a stranger may have chosen: on one line, in its own direction, inside its quotes, not long, and nothing
 * that a mail program would make a link of.
 */
export function quoted(text: string, max: number): string {
  return inQuotes(text, max, unlinked);
}

/** An address, which leads nowhere: the same, with its dots where they are. */
export function quotedAddress(address: string): string {
  const [localPart = "", ...domain] = address.split("@");
  const looksLikePage = localPart.includes("/") || /^www\./i.test(localPart);
  return inQuotes([looksLikePage ? unlinked(localPart) : localPart, ...domain].join("@"), EMAIL_MAX_LENGTH);
}

/** With a gap behind every full stop of whatever script, and behind what makes an address of a page. */
function unlinked(text: string): string {
  return text
    .replace(/\p{Cf}/gu, "")
    .replace(/:\/\//g, ": //")
    .replace(/([.\u3002\uff0e\uff61])(?=\p{L})/gu, "$1 ");
}

function inQuotes(text: string, max: number, shown = (line: string) => line): string {
  const line = text.replace(/[\p{Cc}\p{Cs}\p{Z}\p{Bidi_Control}]+/gu, " ").replace(/[“”]/g, '"');
  const characters = Array.from(line.trim());
  return `“${shown(characters.slice(0, max).join(""))}${characters.length > max ? "…" : ""}”`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
