import { randomBytes } from "node:crypto";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

// Set before anything reads the environment, so that nothing warns, phones home or needs a file with a secret in it.
process.env.WRANGLER_SEND_METRICS = "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.WRANGLER_LOG = "warn";
process.env.ROOT_SECRET = randomBytes(32).toString("base64url");

/** One project a runtime: rules in Node, everything with storage in workerd, the product as a whole over a socket. */
export default defineConfig(async () => ({
  test: {
    // The service logs every refusal; the log of a test that passed is noise.
    silent: "passed-only" as const,
    projects: [
      {
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], environment: "node" },
      },
      {
        define: { DEVELOPMENT_MAILBOX: "true" },
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                ISSUER: "http://localhost",
                ROOT_SECRET: process.env.ROOT_SECRET ?? "",
                TEST_MIGRATIONS: await readD1Migrations("./migrations"),
              },
            },
          }),
        ],
        test: {
          name: "worker",
          include: ["test/worker/**/*.test.ts", "test/race/**/*.test.ts"],
          setupFiles: ["./test/support/apply-migrations.ts"],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "system",
          include: ["test/system/**/*.test.ts", "test/browser/**/*.test.ts"],
          environment: "node",
          globalSetup: ["./test/support/start-instance.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
}));
