import { type Config, parseConfig } from "../../../src/config.ts";

/** The least that a local service needs. */
export const LOCAL = { ISSUER: "http://localhost:8787" };
/** The least that any other service needs. */
export const PUBLIC = {
  ISSUER: "https://auth.example.com",
  MAIL_TRANSPORT: "binding",
  MAIL_FROM: "Sallyport <no-reply@example.com>",
};

/** The settings of an environment that has no problems. */
export function configOf(env: object): Config {
  const config = parseConfig(env);
  if ("problems" in config) throw new Error(config.problems.join("; "));
  return config;
}

/** What is wrong with an environment, none where nothing is. */
export function problemsOf(env: object): string[] {
  const config = parseConfig(env);
  return "problems" in config ? config.problems : [];
}
