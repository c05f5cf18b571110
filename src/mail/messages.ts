import type { Message } from "./message.ts";

/** Asks a new address for its confirmation. The link says nothing but where it leads and opens nothing by itself. */
export function confirmRegistration(appName: string, to: string, link: string): Message {
  return compose(appName, to, `Confirm your address for ${appName}`, [
    `Somebody, hopefully you, asked for an account at ${appName} with this address.`,
    "To finish, open this link within 24 hours and type the password you chose:",
    { link },
    "If it was not you, do nothing: without the password the link activates nothing.",
  ]);
}

/** What the owner of an account gets when somebody registers with its address again. */
export function alreadyRegistered(appName: string, to: string): Message {
  return compose(appName, to, `You already have an account at ${appName}`, [
    `Somebody, hopefully you, asked for an account at ${appName} with this address, but there is one already.`,
    "Nothing has changed. If it was you, sign in with the password you have.",
    "If it was not you, there is nothing to do.",
  ]);
}

type Paragraph = string | { link: string };

function compose(appName: string, to: string, subject: string, paragraphs: Paragraph[]): Message {
  const text = paragraphs.map((part) => (typeof part === "string" ? part : part.link));
  const html = paragraphs.map((part) =>
    typeof part === "string" ? `<p>${escapeHtml(part)}</p>` : `<p><a href="${escapeHtml(part.link)}">Continue</a></p>`,
  );
  return {
    to,
    subject: subject.replace(/[\r\n]+/g, " "),
    text: `${[...text, appName].join("\n\n")}\n`,
    html: `<!doctype html><html lang="en"><body>${html.join("")}<p>${escapeHtml(appName)}</p></body></html>`,
  };
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
