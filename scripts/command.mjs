// What the operators' commands have in common: who asks, what was typed, and what came of it.
import { userInfo } from "node:os";
import { parseArgs } from "node:util";
import { Stop } from "./operations.mjs";

/** Options that every one of them takes. */
export const COMMON_OPTIONS = {
  remote: { type: "boolean", default: false },
  as: { type: "string" },
  state: { type: "string" },
  url: { type: "string" },
  help: { type: "boolean", default: false },
};

/** The name of whoever asks: the one given, or that of the person who is signed in to this machine. */
export function operatorName(given) {
  const name = (given ?? userInfo().username).trim().toLowerCase();
  if (!/^[a-z0-9][a-z0-9._@+-]{0,63}$/.test(name))
    throw new Stop(`"${name}" is no name of an operator: use --as <name>.`);
  return name;
}

/** Options and operands as they were typed. What `isOperand` knows is one although it begins like an option. */
export function readArguments(options, usage, isOperand = () => false) {
  const words = process.argv.slice(2);
  const operands = words.filter(isOperand);
  const args = operands.length === 0 ? words : [...words.filter((word) => !isOperand(word)), "--", ...operands];
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new Stop(`${error.message}\n\n${usage}`);
  }
}

/** What came of an operation. Ends the command when that is not what was asked for; `sentences` say why, by refusal. */
export function resultOf(row, sentences) {
  if (!row || row.state === "waiting") {
    throw new Stop(`It has not been executed yet. \`npm run operator -- list\` shows what waits.`);
  }
  const result = JSON.parse(row.result ?? "{}");
  if (result.refused) throw new Stop(sentences[result.refused] ?? `Refused: ${result.refused}.`);
  if (row.state === "lapsed" || result.failed)
    throw new Stop(`It was given up: ${result.failed ?? "nobody approved it"}.`);
  return result;
}

/** Runs a command to its end. */
export function runCommand(main) {
  main().catch((error) => {
    console.error(error instanceof Stop ? error.message : error);
    process.exitCode = 1;
  });
}
