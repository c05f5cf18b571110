import { type Answer, type CookieKeeper, ISSUER } from "../../support/in-worker.ts";

/** A browser on a page of the service: it says where it is, and keeps the cookies it is given. */
export class Browser implements CookieKeeper {
  readonly cookies = new Map<string, string>();

  headers(): Record<string, string> {
    const cookie = [...this.cookies].map((pair) => pair.join("=")).join("; ");
    return { Origin: ISSUER, ...(cookie === "" ? {} : { Cookie: cookie }) };
  }

  keep({ headers }: Answer): void {
    for (const line of headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      const name = pair.slice(0, pair.indexOf("="));
      if (line.includes("Max-Age=0")) this.cookies.delete(name);
      else this.cookies.set(name, pair.slice(name.length + 1));
    }
  }
}
