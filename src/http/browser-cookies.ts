import type { Context } from "hono";
import type { NewCookie } from "../flows/browsers.ts";
import type { BrowserCookies } from "../service.ts";
import { hostCookies, isBrowserRequest, setHostCookie } from "./host-cookies.ts";

const NAMES = { recognised: "__Host-sallyport_dev", trusted: "__Host-sallyport_tb" } as const;

/** What a browser says about itself. A cookie that was sent twice says nothing. */
export function browserCookies(c: Context): BrowserCookies {
  const single = (name: string) => {
    const [value, second] = hostCookies(c, name);
    return second === undefined ? value : undefined;
  };
  return { isBrowser: isBrowserRequest(c), recognised: single(NAMES.recognised), trusted: single(NAMES.trusted) };
}

/** Sets what a complete sign-in has made of the browser. */
export function setBrowserCookies(c: Context, cookies: NewCookie[]): void {
  for (const { kind, value, maxAgeSeconds } of cookies) setHostCookie(c, NAMES[kind], value, maxAgeSeconds);
}
