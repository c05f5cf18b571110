// Builds what is published for services, `sallyport/verify`, into dist/sdk: JavaScript, its types, and a package.json of
// its own, ready for `npm pack`. Nothing else of this repository is in it.
import { spawnSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./wrangler.mjs";

const target = join(root, "dist/sdk");

/** The manifest of the package. Of the dependencies of the service it has the one that verifying needs. */
function manifest() {
  const { name, version, license, dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const entry = { types: "./sdk/verify.d.ts", default: "./sdk/verify.js" };
  return {
    name,
    version,
    description: "Verifies access tokens of a Sallyport service: in Workers, Node, Deno and browsers.",
    license,
    type: "module",
    sideEffects: false,
    engines: { node: ">=20" },
    exports: { "./verify": entry, "./package.json": "./package.json" },
    dependencies: { jose: dependencies.jose },
    // Types of its middleware, for those who use that.
    peerDependencies: { hono: ">=4" },
    peerDependenciesMeta: { hono: { optional: true } },
  };
}

/** Declarations keep the extension of the sources, which are not there. */
function nameOutputs() {
  for (const file of readdirSync(target, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".d.ts")) continue;
    const text = readFileSync(join(target, file), "utf8");
    writeFileSync(join(target, file), text.replaceAll(/(from "\.[^"]+)\.ts"/g, '$1.js"'));
  }
}

rmSync(target, { recursive: true, force: true });
const tsc = join(root, "node_modules/typescript/bin/tsc");
const { status } = spawnSync(process.execPath, [tsc, "--project", "tsconfig.sdk.json"], {
  cwd: root,
  stdio: "inherit",
});
if (status === 0) {
  nameOutputs();
  writeFileSync(join(target, "package.json"), `${JSON.stringify(manifest(), undefined, 2)}\n`);
  copyFileSync(join(root, "LICENSE"), join(target, "LICENSE"));
  // What its links point to is not in the package.
  const readme = readFileSync(join(root, "docs/verifying.md"), "utf8").replaceAll(
    /\[([^\]]+)\]\((?!https:)[^)]+\)/g,
    "$1",
  );
  writeFileSync(join(target, "README.md"), readme);
  console.log("built: dist/sdk");
}
process.exitCode = status ?? 1;
