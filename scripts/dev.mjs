// `npm run dev`: the whole product at http://localhost:8787, issuer included. Arguments go to `wrangler dev`.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { printerTo } from "./dev-output.mjs";
import { portTrouble, startService } from "./service.mjs";
import { hidden } from "./wrangler.mjs";

const DEFAULT_PORT = 8787;
const MINUTE_MS = 60_000;
const PARENT_CHECK_MS = 250;
/** Where other commands of the project find the running service. */
const ADDRESS_FILE = join(hidden, "sallyport.json");

function refuse(message) {
  console.error(message);
  process.exit(1);
}

/** Takes `--port N` and `--port=N` out of the arguments. */
function readArguments(args) {
  const rest = [];
  let given = String(DEFAULT_PORT);
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--port") given = args[++at] ?? "";
    else if (arg.startsWith("--port=")) given = arg.slice("--port=".length);
    else rest.push(arg);
  }
  const port = /^\d{1,5}$/.test(given) ? Number(given) : 0;
  if (port < 1 || port > 65_535) refuse(`--port takes a number from 1 to 65535, not "${given}".`);
  return { port, rest };
}

async function checkPort(port) {
  const trouble = await portTrouble(port);
  if (!trouble) return;
  const reason =
    trouble === "EADDRINUSE"
      ? `Port ${port} is busy: another program is listening on it. Stop that program, or choose another port:`
      : `Port ${port} cannot be used on this machine (${trouble}). Choose another port:`;
  refuse(`${reason}\n  npm run dev -- --port ${port < 65_535 ? Math.max(port, DEFAULT_PORT) + 1 : DEFAULT_PORT}`);
}

function announce(url) {
  mkdirSync(hidden, { recursive: true });
  const unfinished = `${ADDRESS_FILE}.${process.pid}`;
  writeFileSync(unfinished, `${JSON.stringify({ url, pid: process.pid })}\n`);
  renameSync(unfinished, ADDRESS_FILE);
  console.log(
    [
      "",
      `  Sallyport is ready at  ${url}`,
      `  Mail it would send     ${url}/dev/mailbox?to=you@example.com`,
      "  Stop it with           Ctrl-C",
      "",
    ].join("\n"),
  );
}

/** Only its own: another `npm run dev` on another port may have written since. */
function withdraw() {
  try {
    if (JSON.parse(readFileSync(ADDRESS_FILE, "utf8")).pid === process.pid) rmSync(ADDRESS_FILE);
  } catch {
    // Not written yet, or gone already.
  }
}

/** The platform runs the Worker's cron trigger every minute; the local runtime only does when asked. */
function runCronEveryMinute(url) {
  const poke = () => fetch(`${url}/cdn-cgi/local/scheduled?cron=*+*+*+*+*`, { signal: AbortSignal.timeout(MINUTE_MS) });
  setInterval(() => poke().catch(() => {}), MINUTE_MS).unref();
}

/** Calls `end` when a person, a supervisor or the death of npm asks for it. SIGKILL for npm reaches nobody else. */
function onEndAsked(end) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && end(), PARENT_CHECK_MS).unref();
}

async function main() {
  const { port, rest } = readArguments(process.argv.slice(2));
  await checkPort(port);
  const url = `http://localhost:${port}`;
  const service = startService({
    port,
    args: ["--var", `ISSUER:${url}`, "--define", "DEVELOPMENT_MAILBOX:true", ...rest],
    onLine: printerTo(process.stdout),
  });
  let asked = false;
  onEndAsked(() => {
    asked = true;
    withdraw();
    service.end();
  });
  service.ready.then(
    () => {
      if (asked) return;
      announce(url);
      runCronEveryMinute(url);
    },
    () => {},
  );
  const code = await service.ended;
  withdraw();
  process.exitCode = asked ? 0 : (code ?? 1);
}

await main();
