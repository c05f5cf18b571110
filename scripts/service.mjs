import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { root, toolEnvironment } from "./wrangler.mjs";

/** The only address anything local listens on. */
const LOOPBACK = "127.0.0.1";
const READY = /Ready on http/;

/** Listens for a moment; resolves to the port, or throws what listening threw. */
async function tryPort(port, host) {
  const server = createServer().listen({ port, host });
  await once(server, "listening");
  const taken = server.address().port;
  await new Promise((resolve) => server.close(resolve));
  return taken;
}

/** A port that nobody listens on just now. */
export function freePort() {
  return tryPort(0, LOOPBACK);
}

/** Why `port` cannot be had on this machine (`EADDRINUSE`, `EACCES`), or undefined when it can. */
export async function portTrouble(port) {
  // `localhost` may also mean ::1: a stranger there would answer in the service's place. Without IPv6 there is no ::1.
  for (const host of [LOOPBACK, "::1"]) {
    try {
      await tryPort(port, host);
    } catch (error) {
      if (!["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(error.code)) return error.code;
    }
  }
  return undefined;
}

/** Waits until the last process has let go of the port; not for ever, since a stranger may take it meanwhile. */
async function portIsFree(port) {
  for (let tries = 0; tries < 100 && (await portTrouble(port)) === "EADDRINUSE"; tries++) await sleep(50);
}

function killGroup(group) {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}

function commandLine(port, args) {
  const command = ["wrangler", "dev", "--port", String(port), "--show-interactive-dev-session=false"];
  // Only what is not given: wrangler refuses an option that comes twice.
  const isGiven = (option) => args.some((arg) => arg === option || arg.startsWith(`${option}=`));
  if (!isGiven("--ip")) command.push("--ip", LOOPBACK);
  if (!isGiven("--inspector-port")) command.push("--inspector-port", "0");
  return [...command, ...args];
}

/**
 * Starts `wrangler dev` with everything under it in a process group of its own, which ends with this process, however
 * this process ends.
 *
 * @param options.port where it listens, on the loopback address only
 * @param options.args further arguments for `wrangler dev`
 * @param options.environment of wrangler; the caller's by default
 * @param options.folder removed when this process ends without calling `end()`
 * @param options.onLine called with every line that it prints
 * @returns `pid`, also the id of the group; `ready`, which fails when it ends first; `ended`, its exit code;
 *   `end()`, which lets it finish, and `kill()`, which does not
 */
export function startService({ port, args = [], environment = process.env, folder = "", onLine }) {
  const keeper = join(root, "scripts", "keeper.mjs");
  const child = spawn("node", [keeper, folder, ...commandLine(port, args)], {
    cwd: root,
    env: toolEnvironment(environment),
    detached: true,
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const lines = createInterface({ input: child.stdout });
  let isListening = false;
  const announced = new Promise((resolve) => {
    lines.on("line", (line) => {
      onLine(line);
      if (!READY.test(line)) return;
      isListening = true;
      resolve();
    });
  });
  child.on("exit", () => killGroup(child.pid));
  // Not the child's own "close": Node never emits it once the channel was closed from this side.
  const ended = Promise.all([once(child, "exit"), once(lines, "close")]).then(async ([[code]]) => {
    if (isListening) await portIsFree(port);
    return code;
  });
  const endedEarly = ended.then(() => {
    throw new Error("It ended before it was ready.");
  });

  return {
    pid: child.pid,
    ready: Promise.race([announced, endedEarly]),
    ended,
    end() {
      if (child.connected) child.disconnect();
      return ended;
    },
    kill() {
      killGroup(child.pid);
      return ended;
    },
  };
}
