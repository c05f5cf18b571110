// The security events, from the command line. `npm run events` lists the commands.
import { COMMON_OPTIONS, operatorName, readArguments, resultOf, runCommand } from "./command.mjs";
import { openOperations, quoted, Stop } from "./operations.mjs";

const USAGE = `npm run events -- <command>

  verify             checks the chain over all events, and names the first place where it does not hold
  list               the newest events, the newest last

  --kind <kind> --account <id> --source <group> --since <time>
                     list: only such events; a time is an ISO date such as 2026-11-22 or 2026-11-22T12:00Z
  --limit <number>   list: so many at most; 50 if not said, 1,000 at most
  --remote           the deployed service, through Cloudflare's API, instead of the local one
  --as <name>        who asks; by default the name you are signed in to this machine with
  --json             prints what came of it as one line of JSON; times are milliseconds since 1970
  --state <folder> --url <url>   a local service elsewhere than that of \`npm run dev\`

verify ends with 1 when the chain is broken. docs/events.md says what it proves.`;

const OPTIONS = {
  ...COMMON_OPTIONS,
  json: { type: "boolean", default: false },
  kind: { type: "string" },
  account: { type: "string" },
  source: { type: "string" },
  since: { type: "string" },
  limit: { type: "string", default: "50" },
};

const LIST_MAX = 1_000;

const moment = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
const many = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;

/** What a break means, and where it is. */
function sentenceOf({ what, seq, page, number }) {
  const event = seq === undefined ? undefined : `event ${seq}`;
  const where = page === undefined ? "" : ` (page ${page} of the chain)`;
  const row = number === undefined ? undefined : `checkpoint ${number}`;
  return {
    changed: `${event} is not what was linked${where}: it was changed, or another one put in its place.`,
    missing: event
      ? `${event} is missing${where}.`
      : row
        ? `${row} is missing.`
        : `page ${page} of the chain is missing, and with it what it linked.`,
    inserted: `${event ?? `page ${page} of the chain`} was inserted${event ? where : ""}: nothing was linked there.`,
    order: `${event} has changed places with another one${where}.`,
    page: `page ${page} of the chain says something else than what was linked, though its events may be right.`,
    signature: `${row} does not hold${where}: it was changed, nobody of this service has signed it, or the chain was made anew since.`,
    stub: `stub ${number}, which says what retention has removed, is not signed by this service.`,
  }[what];
}

async function verify(operations, by, { json }) {
  let from;
  for (;;) {
    const id = await operations.insert("verify_events", from ? { from } : {}, by);
    const result = resultOf((await operations.settle([id])).get(id), {});
    if (result.kind !== "chain_goes_on") return sayVerification(result, json);
    from = result.from;
    if (!json) console.error(`${many(from.events, "event")} are right so far …`);
  }
}

function sayVerification(result, json) {
  if (result.kind === "chain_broken") process.exitCode = 1;
  if (json) return console.log(JSON.stringify(result));
  if (result.kind === "chain_broken") return console.log(`BROKEN: ${sentenceOf(result.broken)}`);
  const { events, pages, checkpoints, first_seq: first, last_seq: last, unlinked, stub, checkpoint } = result;
  const span = events > 0 ? ` (${first} to ${last})` : "";
  console.log(`Whole: ${many(events, "event")}${span}, ${many(pages, "page")}, ${many(checkpoints, "checkpoint")}.`);
  if (unlinked > 0) console.log(`${many(unlinked, "event")} arrived since; the next minutes link them.`);
  if (stub)
    console.log(
      `Retention has removed what came before, up to event ${stub.last_seq}, last on ${moment(stub.at)} UTC.`,
    );
  if (checkpoint)
    console.log(
      `Last checkpoint: ${checkpoint.number}, ${moment(checkpoint.at)} UTC, event ${checkpoint.last_seq}, ${checkpoint.hash}`,
    );
}

/** What a list is narrowed down to, as SQL. */
function conditionsOf({ kind, account, source, since }) {
  const at = since === undefined ? undefined : Date.parse(since);
  if (Number.isNaN(at)) throw new Stop(`"${since}" is no time: 2026-11-22 or 2026-11-22T12:00Z are.`);
  const columns = Object.entries({ kind, account, source }).filter(([, value]) => value !== undefined);
  return [
    ...columns.map(([name, value]) => `${name} = ${quoted(value)}`),
    ...(at === undefined ? [] : [`at >= ${at}`]),
  ];
}

async function list(operations, _by, { json, limit, ...wanted }) {
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > LIST_MAX)
    throw new Stop(`--limit takes a number from 1 to ${LIST_MAX}.`);
  const conditions = conditionsOf(wanted);
  const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")} ` : "";
  const query = `SELECT seq, at, kind, account, source, detail FROM events ${where}ORDER BY seq DESC LIMIT ${limit}`;
  const [rows] = await operations.queryEvents(query);
  const events = rows.toReversed().map(({ detail, ...row }) => ({ ...row, ...JSON.parse(detail) }));
  if (json) return console.log(JSON.stringify(events));
  if (events.length === 0) console.log("There are no such events.");
  for (const { seq, at, kind, reason, account, source, factor, count, actor } of events) {
    const words = [kind, reason, factor, count && `${count} times`, source, account, actor && `by ${actor}`];
    console.log(`${seq}  ${moment(at)}  ${words.filter(Boolean).join("  ")}`);
  }
}

const COMMANDS = { verify, list };

async function main() {
  const { values, positionals } = readArguments(OPTIONS, USAGE);
  const [name = "", ...operands] = positionals;
  if (values.help || name === "") return console.log(USAGE);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new Stop(`There is no command "${name}".\n\n${USAGE}`);
  if (operands.length > 0) throw new Stop(USAGE);
  const by = operatorName(values.as);
  const operations = await openOperations(values);
  try {
    await command(operations, by, values);
  } finally {
    await operations.close();
  }
}

runCommand(main);
