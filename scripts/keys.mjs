// The key ring, from the command line. `npm run keys` lists the commands.
import { COMMON_OPTIONS, operatorName, readArguments, resultOf, runCommand } from "./command.mjs";
import { openOperations, Stop } from "./operations.mjs";

const USAGE = `npm run keys -- <command>

  list               every key: its name, what it is for, its state, since when and until when. Never a key itself
  rotate [purpose]   brings the next key into use as soon as every cache knows it; without a purpose the signing key
  drop <key> | all   EMERGENCY: removes a key that somebody else has, or all that can be, and ends every session
  rewrap             seals the ring under the first secret of ROOT_SECRET

  --remote           the deployed service, through Cloudflare's API, instead of the local one
  --as <name>        who asks; by default the name you are signed in to this machine with
  --json             prints what came of it as one line of JSON; times are milliseconds since 1970
  --state <folder> --url <url>   a local service elsewhere than that of \`npm run dev\`

docs/keys.md says when to do what.`;

const OPTIONS = { ...COMMON_OPTIONS, json: { type: "boolean", default: false } };

const SENTENCES = {
  unknown_key: "There is no such key. `npm run keys -- list` shows their names.",
  unknown_purpose: "There is no such purpose. `npm run keys -- list` shows them.",
  too_many_keys: "There are 200 retired keys of this purpose. It can be rotated again when the oldest are gone.",
  never_rotated: "Keys of this purpose are never rotated: docs/keys.md says why, and what to do when one has leaked.",
  never_dropped:
    "A key of this purpose is never dropped: nobody could read again what it protects. docs/keys.md says what to do when one has leaked.",
};

/** What each command asks for, and with how many operands. */
const COMMANDS = {
  list: { operands: [0, 0], ask: () => ["list_keys", {}], say: sayList },
  rotate: { operands: [0, 1], ask: (purpose = "signing") => ["rotate_key", { purpose }], say: sayRotation },
  drop: { operands: [1, 1], ask: (key) => ["drop_key", { key }], say: sayDrop },
  rewrap: { operands: [0, 0], ask: () => ["rewrap_keys", {}], say: sayRewrap },
};

/** One kid in 64 begins with a hyphen, and is no option for it (RFC 7638: 43 characters of base64url). */
const isKid = (word) => /^-[A-Za-z0-9_-]{42}$/.test(word);

const moment = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");

function sayList({ version, epoch, not_before: notBefore, sealed_by: sealedBy, root_secrets: secrets, keys }) {
  const rows = keys.map(({ key, purpose, state, since, changes_at: until, asked_for: asked }) => [
    purpose,
    key,
    state,
    moment(since),
    until === null ? "" : `${{ next: "active", active: "retired", retired: "gone" }[state]} ${moment(until)}`,
    asked ? "asked for" : "",
  ]);
  const table = [["purpose", "key", "state", "since (UTC)", "then (UTC)", ""], ...rows];
  const widths = table[0].map((_, at) => Math.max(...table.map((row) => row[at].length)));
  for (const row of table)
    console.log(
      row
        .map((cell, at) => cell.padEnd(widths[at]))
        .join("  ")
        .trimEnd(),
    );
  const root =
    secrets === 1
      ? "the root secret"
      : `${sealedBy === "first" ? "the first" : "another than the first"} of ${secrets} root secrets`;
  const drop = notBefore > 0 ? `, last drop ${moment(notBefore)}` : "";
  console.log(`\nversion ${version}, epoch ${epoch}${drop}; sealed by ${root}`);
}

function sayRotation({ kind, key, at }) {
  if (kind === "rotated") return console.log(`${key} is in use since ${moment(at)} UTC.`);
  console.log(`${key} comes into use at ${moment(at)} UTC: by then every cache has seen it. Nothing is left to do.`);
}

function sayDrop({ key, at, signing_key: signing }) {
  const what = key === "all" ? "Every key that can be dropped" : key;
  console.log(`${what} is dropped since ${moment(at)} UTC, and ${signing} signs. Everybody is signed out.`);
  console.log(
    "Within five minutes no isolate takes it any more, and within five more no service that keeps to max-age.",
  );
}

function sayRewrap({ version }) {
  console.log(`The ring is sealed by the first root secret (version ${version}).`);
}

async function main() {
  const { values, positionals } = readArguments(OPTIONS, USAGE, isKid);
  const [name = "", ...operands] = positionals;
  if (values.help || name === "") return console.log(USAGE);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new Stop(`There is no command "${name}".\n\n${USAGE}`);
  const [least, most] = command.operands;
  if (operands.length < least || operands.length > most) throw new Stop(USAGE);
  const by = operatorName(values.as);
  const operations = await openOperations(values);
  try {
    const id = await operations.insert(...command.ask(...operands), by);
    const result = resultOf((await operations.settle([id])).get(id), SENTENCES);
    if (values.json) console.log(JSON.stringify(result));
    else command.say(result);
  } finally {
    await operations.close();
  }
}

runCommand(main);
