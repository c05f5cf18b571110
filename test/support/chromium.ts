import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Browser,
  type BrowserContext,
  type CDPSession,
  type Cookie,
  chromium,
  type Frame,
  type Page,
} from "playwright-core";
import { type Answer, issuer, type Json } from "./client.ts";

/** Where Debian puts it. Nothing is ever downloaded. */
const CHROMIUM = "/usr/bin/chromium";

/** Whether there is a Chromium to test with. */
export const hasChromium = existsSync(CHROMIUM);

/** Starts it without a window, with a home of its own. It ends with this process, however this process ends. */
export async function launchChromium(): Promise<Browser> {
  const home = mkdtempSync(join(tmpdir(), "sallyport-chromium-"));
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    // The only pages are our own, and the sandbox does not start for root. No other host exists for this browser.
    args: ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"],
    env: { PATH: process.env.PATH, HOME: home, TMPDIR: home },
    timeout: 30_000,
  });
  browser.on("disconnected", () => rmSync(home, { recursive: true, force: true }));
  return browser;
}

/** A virtual authenticator (WebAuthn §11.2): what it is connected by and what it can do. */
export interface AuthenticatorKind {
  transport: "internal" | "usb";
  hasResidentKey: boolean;
  hasUserVerification: boolean;
  /** Whether its passkeys may be copied to other devices (BE). */
  defaultBackupEligibility?: boolean;
}

/** A laptop with a fingerprint reader, whose passkeys are synced. */
export const LAPTOP: AuthenticatorKind = {
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  defaultBackupEligibility: true,
};

/** A security key that keeps nothing and asks for nothing but a touch. */
export const SECURITY_KEY: AuthenticatorKind = { transport: "usb", hasResidentKey: false, hasUserVerification: false };

const DOCUMENT = readFileSync("docs/second-factors.md", "utf8");

/** The lines of docs/second-factors.md below a comment that begins with `title`, as they stand there. */
function documented(title: string): string {
  const blocks = [...DOCUMENT.matchAll(/```js\n(.*?)```/gs)].flatMap((match) => (match[1] ?? "").split("\n\n"));
  const found = blocks.filter((block) => block.startsWith(`// ${title}`));
  if (found[0] === undefined || found.length > 1)
    throw new Error(`the document says "// ${title}" ${found.length} times`);
  return found[0];
}

/** An empty page with `post`, as the document describes it. It keeps what was sent and what came back. */
const emptyPage = () => `<!doctype html>
<script>
  const exchanges = [];
  async function post(path, body, access) {
    const headers = { "Content-Type": "application/json" };
    if (access) headers.Authorization = "Bearer " + access;
    const request = { method: "POST", credentials: "include", headers, body: JSON.stringify(body) };
    const response = await fetch("${issuer}" + path, request);
    const text = await response.text();
    exchanges.push({ body, status: response.status, headers: [...response.headers], text });
    return text && JSON.parse(text);
  }
</script>`;

/** Somebody else's page with that of the issuer in a frame, which may use passkeys. */
const framingPage = () => `<!doctype html><iframe src="${issuer}/" allow="publickey-credentials-get *"></iframe>`;

/**
 * Somebody else's pages: the empty one at `/`, one around the issuer's at `/frame`. They come from a server, because
 * Chromium itself keeps pages of made-up addresses away from this machine's, whatever the service says.
 */
export async function serveElsewhere(): Promise<{ port: number; stop(): void }> {
  const server = createServer(({ url }, response) => {
    response.setHeader("Content-Type", "text/html").end(url === "/frame" ? framingPage() : emptyPage());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A request of a page, and its answer. */
export interface Exchange {
  sent: Json;
  answer: Answer;
}

/** One tab of a fresh profile, and whatever authenticators its user has at hand. */
export class Tab {
  readonly #context: BrowserContext;
  readonly #page: Page;
  readonly #authenticators: CDPSession;
  /** Where code runs: the page, or the frame in it. */
  #frame: Frame;

  private constructor(context: BrowserContext, page: Page, authenticators: CDPSession) {
    this.#context = context;
    this.#page = page;
    this.#authenticators = authenticators;
    this.#frame = page.mainFrame();
  }

  /** Opens the page at the issuer. Only this one address is made up; everything else goes to the service. */
  static async open(browser: Browser): Promise<Tab> {
    const context = await browser.newContext();
    const page = await context.newPage();
    const authenticators = await context.newCDPSession(page);
    await authenticators.send("WebAuthn.enable");
    await page.route(`${issuer}/`, (route) => route.fulfill({ contentType: "text/html", body: emptyPage() }));
    const tab = new Tab(context, page, authenticators);
    await tab.goTo(issuer);
    return tab;
  }

  /** Opens the page at this origin. */
  async goTo(origin: string): Promise<void> {
    await this.#page.goto(`${origin}/`);
    this.#frame = this.#page.mainFrame();
  }

  /** Opens the page at this origin that has the issuer's in a frame; code runs in the frame. */
  async goToFrameOf(origin: string): Promise<void> {
    await this.#page.goto(`${origin}/frame`);
    const frame = this.#page.frame({ url: `${issuer}/` });
    if (frame === null) throw new Error("the page has no frame");
    this.#frame = frame;
  }

  /** Gives the user an authenticator, touched whenever it asks; gives its name. */
  async plugIn(kind: AuthenticatorKind): Promise<string> {
    const { authenticatorId } = await this.#authenticators.send("WebAuthn.addVirtualAuthenticator", {
      options: { protocol: "ctap2", ...kind, isUserVerified: true, automaticPresenceSimulation: true },
    });
    return authenticatorId;
  }

  /** Whether the user shows the right finger, face or PIN from now on. */
  async setUserVerified(authenticatorId: string, isUserVerified: boolean): Promise<void> {
    await this.#authenticators.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
  }

  /** Runs code in the page; `names` are what it finds there. */
  run<T>(code: string, names: Json = {}): Promise<T> {
    const values = Object.values(names).map((value) => JSON.stringify(value));
    return this.#frame.evaluate<T>(`(async (${Object.keys(names)}) => {${code}\n})(${values})`);
  }

  /** Runs the code of docs/second-factors.md below a comment; gives its last exchange. */
  async follow(title: string, names: Json = {}): Promise<Exchange> {
    await this.run(documented(title), names);
    return this.#lastExchange();
  }

  /** One `post` of the page; again while all places for hashing are taken (503). */
  async post(path: string, body: Json): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      await this.run("await post(path, body);", { path, body });
      const { answer } = await this.#lastExchange();
      if (answer.status !== 503 || tries === 40) return answer;
      await sleep(200);
    }
  }

  /** The cookies that the browser keeps, by name. */
  async cookies(): Promise<Map<string, Cookie>> {
    return new Map((await this.#context.cookies()).map((cookie) => [cookie.name, cookie]));
  }

  async #lastExchange(): Promise<Exchange> {
    type Kept = { body: Json; status: number; headers: [string, string][]; text: string };
    const { body, status, headers, text } = await this.run<Kept>("return exchanges.at(-1);");
    const answer = { status, headers: new Headers(headers), text, body: text === "" ? {} : (JSON.parse(text) as Json) };
    return { sent: body, answer };
  }
}
