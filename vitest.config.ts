import { randomBytes } from "node:crypto";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { CHEAP_HASHES } from "./test/support/cheap-hashes.ts";

// Set before anything reads the environment, so that nothing warns, phones home or needs a file with a secret in it.
process.env.WRANGLER_SEND_METRICS = "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.WRANGLER_LOG = "warn";
process.env.ROOT_SECRET = randomBytes(32).toString("base64url");

/** Tests in workerd about passwords themselves: what a hash looks like, and what work a sign-in is. */
const ABOUT_HASHES = [
  "test/worker/passwords.test.ts",
  "test/worker/same-work.test.ts",
  "test/worker/costs.test.ts",
  "test/worker/import.test.ts",
  "test/worker/imported-sign-ins.test.ts",
];

/** A project whose tests run in workerd, with all bindings. */
const inWorkerd = async (name: string, files: { include: string[]; exclude?: string[] }) => ({
  define: { DEVELOPMENT_MAILBOX: "true" },
  plugins: [
    cloudflareTest({
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        bindings: {
          ISSUER: "http://localhost",
          ROOT_SECRET: process.env.ROOT_SECRET ?? "",
          TEST_MIGRATIONS: await readD1Migrations("./migrations"),
          TEST_EVENTS_MIGRATIONS: await readD1Migrations("./migrations/events"),
        },
      },
    }),
  ],
  test: {
    name,
    ...files,
    setupFiles: ["./test/support/apply-migrations.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});

/** One project a runtime: rules in Node, everything with storage in workerd, the product as a whole over a socket. */
export default defineConfig(async () => {
  const worker = await inWorkerd("worker", {
    include: ["test/worker/**/*.test.ts", "test/race/**/*.test.ts"],
    exclude: ABOUT_HASHES,
  });
  return {
    test: {
      // Two files side by side, on a machine with two cores or with more: each has a runtime to itself.
      maxWorkers: 2,
      // The service logs every refusal; the log of a test that passed is noise.
      silent: "passed-only" as const,
      projects: [
        {
          // Rules keep nothing between calls: their files share a process and what they import.
          test: {
            name: "unit",
            include: ["test/unit/**/*.test.ts", "test/attack/**/*.test.ts"],
            environment: "node",
            isolate: false,
            testTimeout: 30_000,
          },
        },
        { ...worker, resolve: { alias: { [CHEAP_HASHES.from]: CHEAP_HASHES.to } } },
        await inWorkerd("worker-hashes", { include: ABOUT_HASHES }),
        {
          test: {
            name: "system",
            include: ["test/system/**/*.test.ts", "test/browser/**/*.test.ts"],
            environment: "node",
            isolate: false,
            globalSetup: ["./test/support/start-instance.ts"],
            testTimeout: 60_000,
            hookTimeout: 60_000,
          },
        },
      ],
    },
  };
});
