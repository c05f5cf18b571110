// Runs a command as the head of a process group that ends with whoever started it. A signal handler in the starting
// process could not do that: there is none for SIGKILL, and what it leaves behind would hold the port.
//
//   node keeper.mjs <folder that goes with it, or ""> <command> [arguments]
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";

const GRACE_MS = 5_000;
const [folder, command = "", ...args] = process.argv.slice(2);
// Errors go to the same pipe as the rest: two pipes would lose the order of the lines.
const child = spawn(command, args, { stdio: ["ignore", 1, 1] });

function endGroup() {
  if (folder) rmSync(folder, { recursive: true, force: true });
  process.kill(-process.pid, "SIGKILL");
}

function end() {
  child.kill("SIGINT");
  setTimeout(endGroup, GRACE_MS);
}

child.on("error", (error) => console.error(error.message));
child.on("close", (code) => (process.connected ? process.exit(code ?? 1) : endGroup()));
process.on("disconnect", end);
process.on("SIGINT", end);
process.on("SIGTERM", end);
