import { execFile } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder of the project, wherever the command was called from. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** Folder for everything local that can be made again: state, logs, stamps. Never committed. */
export const hidden = join(root, ".wrangler");

/** Everything wrangler would otherwise ask the network for, announce, or keep in the home folder. */
const QUIET = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
  // Its usual level, whatever the shell says: readiness is read from what it prints.
  WRANGLER_LOG: "log",
  WRANGLER_LOG_PATH: join(hidden, "logs"),
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};

// Nothing local leaves this machine, so a proxy has no part in it, and naming one makes wrangler warn.
const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

/**
 * Environment for the project's own tools: `node` and `wrangler` are then those of node_modules, also without npm.
 *
 * @param base what they inherit; the process's own environment by default
 */
export function toolEnvironment(base = process.env) {
  const kept = Object.entries(base).filter(([name]) => !PROXIES.includes(name));
  const path = [join(root, "node_modules", ".bin"), base.PATH].filter(Boolean).join(delimiter);
  return { ...Object.fromEntries(kept), ...QUIET, PATH: path };
}

/**
 * Runs one wrangler command to its end, silently.
 *
 * @throws Error with everything it printed, when it fails
 */
export function runWrangler(...args) {
  return new Promise((resolve, reject) => {
    const child = execFile("wrangler", args, { cwd: root, env: toolEnvironment() }, (error, stdout, stderr) => {
      if (error) reject(new Error(`wrangler ${args.join(" ")} failed:\n${stdout}${stderr || error.message}`));
      else resolve(stdout);
    });
    // A closed input is what tells wrangler that there is nobody to ask.
    child.stdin?.end();
  });
}
