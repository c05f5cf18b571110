import type { Settings } from "./settings.ts";

/** How it is checked that no program asks: Cloudflare Turnstile. */
export interface BotCheckSettings {
  /** What pages show the widget with; public. */
  siteKey: string;
  secret: string;
  /** The address of `siteverify`. */
  verifyUrl: string;
  /** Host names of pages on which a check may have been passed; any, where the issuer is localhost. */
  hostnames: ReadonlySet<string> | "any";
}

const SITEVERIFY = "https://challenges.cloudflare.com/turnstile/v0/siteverify";
/** Keys that Cloudflare documents for tests begin so, and pass or refuse everybody. */
const TESTING = /^[123]x0000/;

/**
 * Reads `TURNSTILE_*`. Without a site key and a secret there is no bot check; one without the other would be a check that
 * nobody can pass. `origins` are those of the pages that may talk to this service.
 */
export function readBotCheck(
  settings: Settings,
  isLocal: boolean,
  origins: Iterable<string>,
): BotCheckSettings | undefined {
  const [siteKey, secret] = [settings.text("TURNSTILE_SITE_KEY", ""), settings.text("TURNSTILE_SECRET", "")];
  const verifyUrl = readVerifyUrl(settings, isLocal);
  if (siteKey === "" && secret === "") return undefined;
  if (siteKey === "") settings.problem("TURNSTILE_SITE_KEY", "is required with TURNSTILE_SECRET");
  if (secret === "") settings.problem("TURNSTILE_SECRET", "is required with TURNSTILE_SITE_KEY; put it as a secret");
  if (!/^[\x21-\x7e]*$/.test(siteKey)) settings.problem("TURNSTILE_SITE_KEY", "must be a site key of Turnstile");
  if (!isLocal && [siteKey, secret].some((key) => TESTING.test(key))) {
    settings.problem(
      "TURNSTILE_SECRET",
      "and the site key may be Cloudflare's testing keys for a localhost issuer alone",
    );
  }
  const hosts = [...origins].filter((origin) => URL.canParse(origin)).map((origin) => new URL(origin).hostname);
  return { siteKey, secret, verifyUrl, hostnames: isLocal ? "any" : new Set(hosts) };
}

function readVerifyUrl(settings: Settings, isLocal: boolean): string {
  const value = settings.text("TURNSTILE_VERIFY_URL", SITEVERIFY);
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const secure = url?.protocol === "https:" || (url?.protocol === "http:" && isLocal);
  if (secure && url?.username === "" && url.password === "") return value;
  settings.problem("TURNSTILE_VERIFY_URL", `must be an https address such as ${SITEVERIFY}`);
  return SITEVERIFY;
}
