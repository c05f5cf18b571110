// `Env` is generated from wrangler.toml: `node scripts/env-types.mjs` writes it, `--check` fails when it is out of date.
import { runWrangler } from "./wrangler.mjs";

const COMMAND = ["types", "--include-runtime=false", "--strict-vars=false"];
const checking = process.argv.includes("--check");

try {
  await runWrangler(...COMMAND, ...(checking ? ["--check"] : []));
} catch (error) {
  console.error(
    checking ? "worker-configuration.d.ts does not fit wrangler.toml: run `npm run types`." : error.message,
  );
  process.exitCode = 1;
}
