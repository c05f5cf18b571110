import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, type Service, startService } from "../../scripts/service.mjs";

// How each example is started as its README says, and what a machine must have for that.

/** ISSUER, AUDIENCE and JWKS_URL. */
export type Settings = Record<"ISSUER" | "AUDIENCE" | "JWKS_URL", string>;

export interface Example {
  /** Its folder under `examples/`. */
  name: string;
  /** The Debian packages that this machine lacks to run it. */
  missing?: string[] | undefined;
  /** Seconds for which a token is still good after its `exp`. */
  tolerance: number;
  /** What it answers while keys cannot be had: not each can tell that from a bad token. */
  withoutKeys: 401 | 503;
  /** Whether unknown key ids cost the issuer nothing. */
  sparesIssuer: boolean;
  /**
   * What it does to an issuer that has just stalled, where that is tested with it. It is not with the Worker, whose
   * verifier has tests of its own, nor with Apache, whose module can be told nothing about it.
   */
  afterStall?: "pauses" | "asks again";
  /** Builds and starts it; resolves to its origin. */
  start(settings: Settings): Promise<string>;
}

const execute = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const DEBIAN_GO_JWT = "/usr/share/gocode/src/github.com/golang-jwt/jwt";
const APACHE_MODULE = "/usr/lib/apache2/modules/mod_oauth2.so";

const folder = mkdtempSync(join(tmpdir(), "sallyport-examples-"));
const children: ChildProcess[] = [];
const workers: Service[] = [];

const folderOf = (name: string) => join(ROOT, "examples", name);
const works = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;

/** Starts a program; resolves to the address that it prints, once `ready` has been printed too. */
function listening(
  command: string,
  args: string[],
  env: Record<string, string>,
  ready = /listening on/,
): Promise<string> {
  const child = spawn(command, args, { env: { ...process.env, ...env } });
  children.push(child);
  return new Promise((resolve, reject) => {
    let output = "";
    const read = (chunk: Buffer) => {
      output += chunk;
      const address = /listening on (http:\S+)\n/.exec(output)?.[1];
      if (address && ready.test(output)) resolve(address);
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.on("error", reject);
    child.on("close", (code) => reject(new Error(`${command} ended with ${code}: ${output}`)));
  });
}

/** With Debian's library in place of the one that `go.mod` names, so that nothing is fetched. */
async function startGo(settings: Settings): Promise<string> {
  const workspace = join(folder, "go.work");
  const program = join(folder, "go-example");
  writeFileSync(
    workspace,
    `go 1.19\nuse ${folderOf("go")}\nreplace github.com/golang-jwt/jwt/v4 => ${DEBIAN_GO_JWT}\n`,
  );
  const env = { ...process.env, GOWORK: workspace, GOPROXY: "off", GOFLAGS: "" };
  await execute("go", ["build", "-o", program, "."], { cwd: folderOf("go"), env });
  return listening(program, [], { ...settings, PORT: "0" });
}

/** From a copy that the user as whom Apache serves can read, wherever the project is. */
async function startApache(settings: Settings): Promise<string> {
  const copy = join(folder, "apache");
  cpSync(folderOf("apache"), copy, { recursive: true });
  chmodSync(folder, 0o755);
  const port = String(await freePort());
  return listening(
    join(copy, "run.sh"),
    [],
    { ...settings, PORT: port, RUN_DIR: folder },
    /resuming normal operations/,
  );
}

async function startWorker(settings: Settings): Promise<string> {
  const port = await freePort();
  const vars = Object.entries(settings).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  let output = "";
  const service = startService({
    port,
    args: ["--config", join(folderOf("worker"), "wrangler.toml"), "--persist-to", folder, ...vars],
    onLine: (line) => {
      output += `${line}\n`;
    },
  });
  workers.push(service);
  await service.ready.catch((error: Error) => Promise.reject(new Error(`${error.message}\n${output}`)));
  return `http://127.0.0.1:${port}`;
}

const lacking = (isThere: boolean, packages: string[]) => (isThere ? undefined : packages);
const hasPython = works("/usr/bin/python3", "-c", "import jwt, cryptography");
const hasGo = works("go", "version") && existsSync(DEBIAN_GO_JWT);
const hasApache = existsSync("/usr/sbin/apache2") && existsSync(APACHE_MODULE);

/** Every example. */
export const EXAMPLES: Example[] = [
  {
    name: "node",
    tolerance: 30,
    withoutKeys: 503,
    sparesIssuer: true,
    afterStall: "asks again",
    start: (settings) =>
      listening(process.execPath, [join(folderOf("node"), "server.mjs")], { ...settings, PORT: "0" }),
  },
  { name: "worker", tolerance: 30, withoutKeys: 503, sparesIssuer: true, start: startWorker },
  {
    name: "python",
    missing: lacking(hasPython, ["python3-jwt", "python3-cryptography"]),
    tolerance: 30,
    withoutKeys: 503,
    sparesIssuer: true,
    afterStall: "pauses",
    start: (settings) =>
      listening("/usr/bin/python3", ["-B", join(folderOf("python"), "server.py")], { ...settings, PORT: "0" }),
  },
  {
    name: "go",
    missing: lacking(hasGo, ["golang-go", "golang-github-golang-jwt-jwt-dev"]),
    tolerance: 30,
    withoutKeys: 503,
    sparesIssuer: true,
    afterStall: "pauses",
    start: startGo,
  },
  {
    name: "apache",
    missing: lacking(hasApache, ["apache2-bin", "libapache2-mod-oauth2"]),
    tolerance: 0,
    withoutKeys: 401,
    sparesIssuer: false,
    start: startApache,
  },
];

/** Ends everything that was started and removes what it left. */
export async function stopExamples(): Promise<void> {
  const running = children.filter((child) => child.exitCode === null && child.signalCode === null);
  const ended = running.map((child) => once(child, "exit"));
  for (const child of running) child.kill();
  await Promise.all([...ended, ...workers.map((worker) => worker.end())]);
  rmSync(folder, { recursive: true, force: true });
}
