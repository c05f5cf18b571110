import { type Answer, type Call, type Json, newSource, ownPage, type Person, send, text } from "./client.ts";
import { assertionFor, usernamelessAssertion } from "./passkey-client.ts";
import type { SoftwareAuthenticator } from "./software-authenticator.ts";

/** The cookie of a recognised browser. */
export const DEVICE = "__Host-sallyport_dev";

/** The cookie of a trusted browser. */
export const TRUST = "__Host-sallyport_tb";

/** A cookie as an answer sets it; the attributes in lower case. */
export interface SetCookie {
  value: string;
  attributes: string[];
  /** Seconds to live, 0 when the answer takes the cookie back; `NaN` without the attribute. */
  maxAge: number;
}

/** What an answer sets under a name. */
export function cookieSet(answer: Answer, name: string): SetCookie | undefined {
  const lines = answer.headers.getSetCookie().filter((line) => line.startsWith(`${name}=`));
  if (lines.length > 1) throw new Error(`the answer sets ${name} ${lines.length} times`);
  const [pair, ...rest] = lines[0]?.split(/;\s*/) ?? [];
  if (pair === undefined) return undefined;
  const attributes = rest.map((attribute) => attribute.toLowerCase());
  const age = attributes.find((attribute) => attribute.startsWith("max-age="));
  return {
    value: pair.slice(name.length + 1),
    attributes,
    maxAge: Number(age?.slice("max-age=".length) ?? Number.NaN),
  };
}

/** A browser on a page of the service itself: it keeps the cookies it is given and sends them with every request. */
export class Browser {
  source: string;
  readonly cookies = new Map<string, string>();
  userAgent = "Mozilla/5.0 (a test)";

  constructor(source = newSource()) {
    this.source = source;
  }

  /** A browser that holds this one cookie, its own or somebody else's. */
  static with(name: string, value: string): Browser {
    const browser = new Browser();
    browser.cookies.set(name, value);
    return browser;
  }

  async send(method: string, path: string, body?: unknown, call: Call = {}): Promise<Answer> {
    const cookie = [...this.cookies].map((pair) => pair.join("=")).join("; ");
    const answer = await send(method, path, body, {
      source: this.source,
      ...(cookie === "" ? {} : { cookie }),
      ...call,
      headers: { ...ownPage, "user-agent": this.userAgent, ...call.headers },
    });
    for (const line of answer.headers.getSetCookie()) this.#keep(answer, line.slice(0, line.indexOf("=")));
    return answer;
  }

  post(path: string, body: unknown, call?: Call): Promise<Answer> {
    return this.send("POST", path, body, call);
  }

  logIn(person: Person, more: Json = {}): Promise<Answer> {
    return this.post("/auth/login", { email: person.email, password: person.password, ...more });
  }

  /** The challenge token that a right password gives here. */
  async challenged(person: Person): Promise<string> {
    return text(await this.logIn(person), "challenge_token");
  }

  /** Answers a challenge with a TOTP code. */
  answer(challengeToken: string, code: string, more: Json = {}): Promise<Answer> {
    return this.verify(challengeToken, { method: "totp", code, ...more });
  }

  /** Answers a challenge with a recovery code. */
  recover(challengeToken: string, code: string, more: Json = {}): Promise<Answer> {
    return this.verify(challengeToken, { method: "recovery_code", code, ...more });
  }

  /** Answers a challenge with a passkey. */
  async answerByPasskey(challengeToken: string, passkey: SoftwareAuthenticator, more: Json = {}): Promise<Answer> {
    const response = await assertionFor(challengeToken, passkey);
    return this.verify(challengeToken, { method: "passkey", response, ...more });
  }

  /** Signs in by passkey alone. */
  async signInByPasskey(passkey: SoftwareAuthenticator): Promise<Answer> {
    return this.post("/auth/passkey/verify", { response: await usernamelessAssertion(passkey) });
  }

  /** Forgets the session, as when the tab was used by somebody else meanwhile, and keeps the other cookies. */
  forgetSession(): void {
    this.cookies.delete("__Host-sallyport_rt");
  }

  /** Answers a challenge with a method and what that needs. */
  verify(challengeToken: string, answer: Json): Promise<Answer> {
    return this.post("/auth/2fa/verify", { challenge_token: challengeToken, ...answer });
  }

  #keep(answer: Answer, name: string): void {
    const cookie = cookieSet(answer, name);
    if (cookie === undefined || cookie.maxAge === 0) this.cookies.delete(name);
    else this.cookies.set(name, cookie.value);
  }
}
