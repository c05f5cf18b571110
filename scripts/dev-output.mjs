import { stripVTControlCharacters } from "node:util";

// What `wrangler dev` says before and besides the Worker: true, but not for somebody who just wants to see it run.
const PREAMBLE = [
  /^Using secrets defined in /,
  /^Your Worker has access to the following bindings:/,
  /^Binding\s+Resource\s+Mode/,
  /^env\.\S+ .*\s(local|remote)\s*$/,
  /^❓ Your types might be out of date/,
  /^⎔ Starting local server/,
  /^\[wrangler:info\] Ready on http/,
  /^🪵 {2}Logs were written to/,
];

// `npm run dev` triggers the scheduled handler itself. The warning goes on in the indented lines below it.
const CRON_WARNING = /WARNING.*Scheduled Workers are not automatically triggered/;

const OWN_PREFIX = /^\[wrangler:(info|error)\] /;

/**
 * Makes the function that prints the lines of `wrangler dev` worth seeing: the Worker's own, requests, errors, reloads.
 *
 * @param output stream to print to; without a terminal behind it, without colours
 */
export function printerTo(output) {
  let isInWarning = false;
  let isAfterBlank = true;
  return (line) => {
    const text = stripVTControlCharacters(line);
    const isBlank = text.trim() === "";
    if (!isBlank && !text.startsWith(" ")) isInWarning = CRON_WARNING.test(text);
    const isHidden = isInWarning || (isBlank && isAfterBlank) || PREAMBLE.some((pattern) => pattern.test(text));
    if (isHidden) return;
    isAfterBlank = isBlank;
    output.write(`${(output.isTTY ? line : text).replace(OWN_PREFIX, "")}\n`);
  };
}
