import { describe, expect, it } from "vitest";
import { configOf, LOCAL, PUBLIC, problemsOf } from "./support/settings.ts";

const KEYS = { TURNSTILE_SITE_KEY: "0x4AAAAAAAsite", TURNSTILE_SECRET: "0x4AAAAAAAsecret" };
const SITEVERIFY = "https://challenges.cloudflare.com/turnstile/v0/siteverify";

describe("a bot check", () => {
  it("is none where nothing is said", () => {
    expect(configOf(LOCAL).botCheck).toBeUndefined();
    const empty = { TURNSTILE_SITE_KEY: "", TURNSTILE_SECRET: "", TURNSTILE_VERIFY_URL: "" };
    expect(configOf({ ...LOCAL, ...empty }).botCheck).toBeUndefined();
  });

  it("has a site key and a secret, and is good on pages of listed origins alone", () => {
    const ALLOWED_ORIGINS = "https://app.example.com,https://shop.example.org";
    const { botCheck } = configOf({ ...PUBLIC, ...KEYS, ALLOWED_ORIGINS });
    const issuer = new URL(PUBLIC.ISSUER).hostname;
    expect(botCheck).toEqual({
      siteKey: KEYS.TURNSTILE_SITE_KEY,
      secret: KEYS.TURNSTILE_SECRET,
      verifyUrl: SITEVERIFY,
      hostnames: new Set([issuer, "app.example.com", "shop.example.org"]),
    });
    expect(configOf({ ...LOCAL, ...KEYS }).botCheck?.hostnames).toBe("any");
  });

  it("is not half of one", () => {
    const { TURNSTILE_SECRET, TURNSTILE_SITE_KEY } = KEYS;
    expect(problemsOf({ ...LOCAL, TURNSTILE_SECRET })).toEqual([
      "TURNSTILE_SITE_KEY is required with TURNSTILE_SECRET",
    ]);
    expect(problemsOf({ ...LOCAL, TURNSTILE_SITE_KEY })).toEqual([
      "TURNSTILE_SECRET is required with TURNSTILE_SITE_KEY; put it as a secret",
    ]);
  });

  it("with Cloudflare's testing keys, which let everybody pass, is for localhost alone", () => {
    const site = { ...KEYS, TURNSTILE_SITE_KEY: "1x00000000000000000000AA" };
    const secret = { ...KEYS, TURNSTILE_SECRET: "1x0000000000000000000000000000000AA" };
    for (const keys of [site, secret]) {
      expect(problemsOf({ ...PUBLIC, ...keys })).toEqual([
        "TURNSTILE_SECRET and the site key may be Cloudflare's testing keys for a localhost issuer alone",
      ]);
      expect(configOf({ ...LOCAL, ...keys }).botCheck).toBeDefined();
    }
  });

  it.each(["ftp://x.example", "challenges.cloudflare.com", "http://verify.example/", "https://u:p@verify.example/"])(
    "is not asked for at %s",
    (TURNSTILE_VERIFY_URL) => {
      expect(problemsOf({ ...PUBLIC, ...KEYS, TURNSTILE_VERIFY_URL })).toEqual([
        `TURNSTILE_VERIFY_URL must be an https address such as ${SITEVERIFY}`,
      ]);
    },
  );

  it("may be asked for over plain HTTP where the issuer is localhost", () => {
    const TURNSTILE_VERIFY_URL = "http://localhost:9999/siteverify";
    expect(configOf({ ...LOCAL, ...KEYS, TURNSTILE_VERIFY_URL }).botCheck?.verifyUrl).toBe(TURNSTILE_VERIFY_URL);
    expect(problemsOf({ ...PUBLIC, ...KEYS, TURNSTILE_VERIFY_URL })).toHaveLength(1);
  });

  it("does not say its secret where something is wrong", () => {
    const problems = problemsOf({ ...LOCAL, TURNSTILE_SECRET: KEYS.TURNSTILE_SECRET, TURNSTILE_VERIFY_URL: "x" });
    expect(problems.join()).not.toContain(KEYS.TURNSTILE_SECRET);
  });
});
