// What operators ask of the service, from the command line. `npm run operator` lists the commands.
import { COMMON_OPTIONS, operatorName, readArguments, resultOf, runCommand } from "./command.mjs";
import { importFile } from "./import.mjs";
import { openOperations, quoted, Stop } from "./operations.mjs";

const USAGE = `npm run operator -- <command>

  invite <email>                 mails a link that makes an account
  reset-factors <email or id>    removes every second factor of an account; the next sign-in adds one
  approve <operation id> <email or id>
                                 approves a reset of that account that another operator has asked for
  disable <email or id>          closes the way in, signs everybody out; enable <email or id> opens it again
  sign-out <email or id>         ends every session of an account
  unlock <email or id>           forgives what was tried against an account and its address
  unlock <group of sources>      forgives what was tried from an IPv4 /24 or IPv6 /48, also what an alert has throttled
  list                           what waits to be executed or approved
  import <file>                  imports users; the same as \`npm run import -- <file>\`

  --remote                       the deployed service, through Cloudflare's API, instead of the local one
  --as <name>                    who asks; by default the name you are signed in to this machine with
  --emails-verified              import: where the file says nothing of an address, somebody has proven it
  --state <folder> --url <url>   a local service elsewhere than that of \`npm run dev\`

docs/importing.md says what the file of an import holds.`;

const OPTIONS = { ...COMMON_OPTIONS, "emails-verified": { type: "boolean", default: false } };

/** A reset that nobody has begun after two rounds of the cron waits for somebody else. */
const APPROVAL_PATIENCE_MS = { local: 3_000, remote: 130_000 };

const SENTENCES = {
  address_taken: "There is an account with this address already, or it is kept for one.",
  malformed_body: "That is not an email address this service takes.",
  unknown_account: "There is no such account.",
  account_not_active_now: "The account is not active: it is disabled already, or about to be deleted.",
  account_not_disabled: "The account is not disabled.",
  account_changed: "The account has changed just now. Try again.",
  change_under_way: "Another change of the account is under way. Try again in a minute.",
  nothing_to_recover: "The account has no second factor.",
};

/** Says that what was asked for is done. */
function report(row, done) {
  resultOf(row, SENTENCES);
  console.log(done);
}

async function invite(operations, by, email) {
  const id = await operations.insert("invite", { email }, by);
  report((await operations.settle([id])).get(id), `An invitation is on its way to ${email}.`);
}

async function resetFactors(operations, by, account) {
  const id = await operations.insert("reset_factors", { account }, by);
  const patience = APPROVAL_PATIENCE_MS[operations.isRemote ? "remote" : "local"];
  const row = (await operations.settle([id], undefined, patience)).get(id);
  if (row?.state === "waiting" && row.begun_at === null) {
    console.log(
      `A second operator has to approve this within 24 hours:\n  npm run operator -- approve ${id} ${account} --as <name>${operations.isRemote ? " --remote" : ""}`,
    );
    return;
  }
  report(row, "Every second factor is removed, and everybody is signed out. The owner has been told.");
}

/** Names the account as well: whoever approves says whose factors are to go, and does not take a stranger's word for it. */
async function approve(operations, by, id, { account }) {
  const name = quoted(by);
  const approved = await operations.query(
    `UPDATE operations SET approved_by = ${name} WHERE id = ${quoted(id)} AND kind = 'reset_factors' AND state = 'waiting' AND approved_by IS NULL AND requested_by <> ${name} AND payload ->> 'account' = ${quoted(account)} RETURNING id`,
  );
  if (approved[0].length === 0) {
    throw new Stop(
      `${by} cannot approve this: it does not wait for approval, is about another account, or ${by} has asked for it.`,
    );
  }
  report((await operations.settle([id])).get(id), "Approved: every second factor is removed. The owner has been told.");
}

/** What is done to an account at one word. */
const onAccount = (kind, done) => async (operations, by, account) => {
  const id = await operations.insert(kind, { account }, by);
  report((await operations.settle([id])).get(id), done);
};

const unlockAccount = onAccount("unlock_account", "What was tried against it is forgiven.");

/** A group of sources is written with a slash, as events write it; an address may have one, and an @. */
async function unlock(operations, by, subject) {
  if (subject.includes("@") || !subject.includes("/")) return unlockAccount(operations, by, subject);
  const id = await operations.insert("unlock_source", { source: subject }, by);
  report((await operations.settle([id])).get(id), "What was tried from it is forgiven.");
}

async function list(operations) {
  const [rows] = await operations.query(
    "SELECT id, kind, iif(kind = 'reset_factors', payload ->> 'account', NULL) AS account, requested_by, requested_at, approved_by FROM operations WHERE state = 'waiting' ORDER BY seq LIMIT 100",
  );
  if (rows.length === 0) return console.log("Nothing waits.");
  for (const { id, kind, account, requested_by, requested_at, approved_by } of rows) {
    const approval = approved_by ? `, approved by ${approved_by}` : "";
    console.log(
      `${id}  ${kind}${account ? ` of ${account}` : ""}  ${requested_by}, ${new Date(requested_at).toISOString()}${approval}`,
    );
  }
}

const COMMANDS = {
  invite,
  "reset-factors": resetFactors,
  approve,
  disable: onAccount("disable_account", "Nobody can sign in to it any more. The owner has been told."),
  enable: onAccount("enable_account", "It is possible to sign in to it again. The owner has been told."),
  "sign-out": onAccount("sign_out_account", "Everybody is signed out of it."),
  unlock,
  list,
  import: importFile,
};
const OPERANDS = { list: 0, approve: 2 };

async function main() {
  const { values, positionals } = readArguments(OPTIONS, USAGE);
  const [name = "", ...operands] = positionals;
  if (values.help || name === "") return console.log(USAGE);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new Stop(`There is no command "${name}".\n\n${USAGE}`);
  if (operands.length !== (OPERANDS[name] ?? 1)) throw new Stop(USAGE);
  const [operand = "", account] = operands;
  const by = operatorName(values.as);
  const operations = await openOperations({ ...values, needsRunning: name === "invite" });
  try {
    await command(operations, by, operand, { emailsVerified: values["emails-verified"], account });
  } finally {
    await operations.close();
  }
}

runCommand(main);
