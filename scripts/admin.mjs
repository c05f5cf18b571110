// Who administers others, from the command line. `npm run admin` lists the commands.
import { COMMON_OPTIONS, operatorName, readArguments, resultOf, runCommand } from "./command.mjs";
import { openOperations, Stop } from "./operations.mjs";

const USAGE = `npm run admin -- <command>

  grant <email or id>    makes somebody an admin: a verified, active account with a second factor of its own
  revoke <email or id>   takes the role away again

  --remote               the deployed service, through Cloudflare's API, instead of the local one
  --as <name>            who asks; by default the name you are signed in to this machine with
  --state <folder> --url <url>   a local service elsewhere than that of \`npm run dev\`

Either one ends every session of the account. docs/admin.md says what admins can do.`;

const SENTENCES = {
  unknown_account: "There is no such account.",
  account_not_active: "The account is disabled or about to be deleted: an admin's must be active.",
  email_unverified: "Nobody has proven to read the mail of this account: its owner resets the password by mail first.",
  no_factor_for_admins:
    "The account has no second factor that counts for admins. Its owner signs in and adds one first: an authenticator app or a passkey, and where ADMIN_FACTOR or SECOND_FACTOR is passkey, a passkey.",
  already_admin: "The account is an admin's already.",
  not_an_admin: "The account is not an admin's.",
  account_changed: "The account has changed just now. Try again.",
  change_under_way: "Another change of the account is under way. Try again in a minute.",
};

const COMMANDS = {
  grant: { kind: "grant_admin", done: (who) => `${who} is an admin from now on, and has to sign in anew.` },
  revoke: { kind: "revoke_admin", done: (who) => `${who} is no admin any more, and is signed out everywhere.` },
};

async function main() {
  const { values, positionals } = readArguments(COMMON_OPTIONS, USAGE);
  const [name = "", ...operands] = positionals;
  if (values.help || name === "") return console.log(USAGE);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new Stop(`There is no command "${name}".\n\n${USAGE}`);
  if (operands.length !== 1) throw new Stop(USAGE);
  const [account] = operands;
  const by = operatorName(values.as);
  const operations = await openOperations(values);
  try {
    const id = await operations.insert(command.kind, { account }, by);
    resultOf((await operations.settle([id])).get(id), SENTENCES);
    console.log(command.done(account));
  } finally {
    await operations.close();
  }
}

runCommand(main);
