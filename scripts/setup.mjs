// Makes a fresh clone ready, and does nothing at all when it is: the npm scripts run it first, every time. It needs
// nothing but Node and npm, so what it imports from packages it imports after installing them.
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { migrate, migrationsArePending } from "./database.mjs";
import { hidden, root } from "./wrangler.mjs";

const OLDEST_NODE = [20, 19];
const LOCK = join(hidden, "setup.lock");
const LOCK_PATIENCE_MS = 10 * 60_000;
const PACKAGES = join(root, "node_modules");
const PACKAGES_STAMP = join(PACKAGES, ".installed-from");
const SETTINGS = join(root, ".dev.vars");

/** Ends the command with a message for a person, without a stack trace that tells them nothing. */
class Stop extends Error {}

function readOrNothing(file) {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new Stop(
    `This project needs Node ${OLDEST_NODE.join(".")} or newer; this is ${process.versions.node}.\n` +
      "Install a current one from https://nodejs.org (or with your version manager), then run the same command again.",
  );
}

/** Identifies what `npm ci` would install here: some packages bring one binary for one platform. */
function packagesFingerprint() {
  const lockfile = readFileSync(join(root, "package-lock.json"));
  return createHash("sha256").update(`${process.platform} ${process.arch}\n`).update(lockfile).digest("hex");
}

/** Runs `npm ci` with the Node of the machine: the one in node_modules, first on npm's PATH, is about to be deleted. */
function runNpmCi() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const path = folders.filter((folder) => !folder.endsWith(join("node_modules", ".bin"))).join(delimiter);
  // The outer `npm run` hands down its own settings; `--silent` would hide why an install fails.
  return spawnSync("npm", ["ci", "--include=dev", "--loglevel=error"], {
    cwd: root,
    env: { ...process.env, PATH: path },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function isLink(path) {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function installPackages() {
  if (readOrNothing(PACKAGES_STAMP) === packagesFingerprint()) return;
  if (isLink(PACKAGES)) {
    // `npm ci` would follow it, and first of all empty what another folder works with.
    throw new Stop(
      "node_modules is a link to packages that were installed from another package-lock.json.\n" +
        "Delete the link, then run the same command again.",
    );
  }
  console.log("Installing packages (npm ci) …");
  const { status, signal, stdout, stderr, error } = runNpmCi();
  if (status !== 0) {
    throw new Stop(
      `${stdout ?? ""}${stderr ?? ""}\nInstalling packages failed: ${error?.message ?? `npm ci ended with ${signal ?? status}`}.\n` +
        "If npm could not reach its registry, connect to the network and run the same command again.\n" +
        "If it says that package.json and package-lock.json are not in sync, run `npm install` first.",
    );
  }
  const node = join(PACKAGES, ".bin", "node");
  if (isLink(node) && !existsSync(node)) {
    throw new Stop(
      "npm did not run the install scripts of the packages, which bring the right Node.\n" +
        "Allow them with `npm config set ignore-scripts false --location=project`, then run the same command again.",
    );
  }
  // Last of all: an install that was interrupted has no stamp and is repeated.
  mkdirSync(PACKAGES, { recursive: true });
  writeFileSync(PACKAGES_STAMP, packagesFingerprint());
}

/** A secret of this machine's own. One that is there stays: the keys in the local database are sealed with it. */
function makeRootSecret() {
  const lines = readOrNothing(SETTINGS).split("\n");
  if (lines.some((line) => /^\s*(export\s+)?ROOT_SECRET\s*=\s*\S/.test(line))) return;
  console.log("Making a ROOT_SECRET for this machine (.dev.vars) …");
  const others = lines.filter((line) => line.trim() && !/^\s*(export\s+)?ROOT_SECRET\s*=/.test(line));
  const secret = randomBytes(32).toString("base64url");
  const unfinished = `${SETTINGS}.unfinished`;
  rmSync(unfinished, { force: true });
  writeFileSync(unfinished, `${[...others, `ROOT_SECRET=${secret}`].join("\n")}\n`, { mode: 0o600 });
  renameSync(unfinished, SETTINGS);
}

async function migrateDatabase() {
  if (!migrationsArePending()) return;
  console.log("Preparing the local database …");
  await migrate();
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Runs `work` while no other setup of this folder runs. The lock of a process that is gone does not count. */
async function alone(work) {
  mkdirSync(hidden, { recursive: true });
  for (const start = Date.now(); ; await sleep(100)) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const holder = Number(readOrNothing(LOCK));
    if (holder && !isRunning(holder)) rmSync(LOCK, { force: true });
    if (Date.now() - start > LOCK_PATIENCE_MS) {
      throw new Stop(`Another setup does not end. Delete ${LOCK}, then run the same command again.`);
    }
  }
  try {
    await work();
  } finally {
    rmSync(LOCK, { force: true });
  }
}

try {
  checkNode();
  await alone(async () => {
    installPackages();
    makeRootSecret();
    const { buildBlocklist } = await import("./build-blocklist.mjs");
    await buildBlocklist();
    await migrateDatabase();
  });
} catch (error) {
  console.error(error instanceof Stop ? error.message : error);
  process.exitCode = 1;
}
