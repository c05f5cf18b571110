import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { postWebhook } from "../../../src/events/webhook.ts";

afterEach(() => vi.unstubAllGlobals());

type Check = (secret: string, headers: Record<string, string>, body: string, now?: number) => boolean;

/** What docs/detection.md tells a receiver to do. */
async function documented(): Promise<Check> {
  const page = readFileSync("docs/detection.md", "utf8");
  const snippet = /```js\n(.*?isFromSallyport.*?)```/s.exec(page)?.[1] ?? "";
  const module = (await import(`data:text/javascript,${encodeURIComponent(snippet)}`)) as { isFromSallyport: Check };
  return module.isFromSallyport;
}

const SECRET = randomBytes(32);
const BODY = '{"type":"alert.opened","data":{"pattern":"Ünïcode"}}';
const NOW = Date.now();

/** Posts, and gives what has arrived. */
async function posted(secret: Buffer): Promise<Record<string, string>> {
  let headers: Record<string, string> = {};
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    headers = Object.fromEntries(new Headers(init.headers));
    return new Response(null, { status: 204 });
  });
  await postWebhook({ url: "https://a.example/", secret: new Uint8Array(secret) }, "alert_1_opened_low", BODY, NOW);
  return headers;
}

describe("the check of docs/detection.md", () => {
  it("takes what is ours, with the secret as it is set", async () => {
    const check = await documented();
    const headers = await posted(SECRET);
    for (const secret of [
      SECRET.toString("base64"),
      `whsec_${SECRET.toString("base64")}`,
      SECRET.toString("base64url"),
    ])
      expect(check(secret, headers, BODY)).toBe(true);
  });

  it("takes nothing else", async () => {
    const check = await documented();
    const headers = await posted(SECRET);
    const secret = SECRET.toString("base64");
    expect(check(randomBytes(32).toString("base64"), headers, BODY)).toBe(false);
    expect(check(secret, headers, `${BODY} `)).toBe(false);
    expect(check(secret, headers, BODY, NOW + 301_000)).toBe(false);
    const other = String(headers["webhook-signature"]).replace(/,./, (begin) => (begin === ",A" ? ",B" : ",A"));
    expect(check(secret, { ...headers, "webhook-signature": other }, BODY)).toBe(false);
    for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
      const padded = name === "webhook-signature" ? `v2${headers[name]}` : `${headers[name]}0`;
      expect(check(secret, { ...headers, [name]: padded }, BODY)).toBe(false);
      const { [name]: _, ...others } = headers;
      expect(check(secret, others, BODY)).toBe(false);
    }
  });
});
