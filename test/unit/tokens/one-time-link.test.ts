import { beforeAll, describe, expect, it } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { seal } from "../../../src/keys/seal.ts";
import { openLink, sealLink } from "../../../src/tokens/one-time-link.ts";
import { NOW, newRing, ringsAcrossEpochs } from "../support/rings.ts";

const PAYLOAD = { email: "Ada@example.com", password: "$argon2id$v=19$m=19456,t=2,p=1,keyid=AQ$AAAA$AAAA" };
const DAY = 86_400_000;

let ring: KeyRing;
let link: string;

beforeAll(async () => {
  ring = await newRing();
  link = await sealLink(ring, "register", PAYLOAD, NOW + DAY);
});

describe("a one-time link", () => {
  it("opens as what was sealed until it expires, to the millisecond", async () => {
    expect(await openLink(ring, "register", link, NOW)).toEqual(PAYLOAD);
    expect(await openLink(ring, "register", link, NOW + DAY - 1)).toEqual(PAYLOAD);
    expect(await openLink(ring, "register", link, NOW + DAY)).toBe("link_expired");
  });

  it("tells the reader of a mail nothing, and needs no escaping in a link", () => {
    expect(link).toMatch(/^[A-Za-z0-9_-]+$/);
    const bytes = Buffer.from(link, "base64url");
    for (const text of ["Ada", "example", "argon2id"]) expect(bytes.includes(text)).toBe(false);
  });

  it("is over with an emergency drop", async () => {
    const [before, after] = await ringsAcrossEpochs();
    const sealed = await sealLink(before, "register", PAYLOAD, NOW + DAY);
    expect(await openLink(before, "register", sealed, NOW)).toEqual(PAYLOAD);
    expect(await openLink(after, "register", sealed, NOW)).toBe("link_expired");
  });

  it.each(["undo_email", "recovery_cancel", "deletion_cancel", "freeze"] as const)(
    "that takes back what a thief has begun outlives a drop, and goes with its key: %s",
    async (purpose) => {
      const [before, after] = await ringsAcrossEpochs();
      const payload = { accountId: "a", id: "l", email: "ada@example.com", at: NOW };
      const sealed = await sealLink(before, purpose, payload, NOW + DAY);
      expect(await openLink(after, purpose, sealed, NOW)).toEqual(payload);
      expect(await openLink(after, purpose, sealed, NOW + DAY)).toBe("link_expired");
      expect(await openLink(await newRing(), purpose, sealed, NOW)).toBe("link_forged");
    },
  );

  it.each([
    ["changed in its middle", (text: string) => text.slice(0, 60) + (text[60] === "A" ? "B" : "A") + text.slice(61)],
    ["cut", (text: string) => text.slice(0, -4)],
    ["with something behind it", (text: string) => `${text}AAAA`],
    ["with a full stop behind it, as a mail program might add", (text: string) => `${text}.`],
    ["empty", () => ""],
  ])("does not open when it is %s", async (_, change) => {
    expect(await openLink(ring, "register", change(link), NOW)).toBe("link_forged");
  });

  it("carries a mailed proof, which opens as nothing else", async () => {
    const payload = { id: "4b7d7e0c-5c0e-4a53-9d1f-1f2a1c6f9b52", emailKey: "ada@example.com" };
    const proof = await sealLink(ring, "proof", payload, NOW + DAY);
    expect(await openLink(ring, "proof", proof, NOW)).toEqual(payload);
    expect(await openLink(ring, "register", proof, NOW)).toBe("link_forged");
    expect(await openLink(ring, "proof", link, NOW)).toBe("link_forged");
  });

  it("carries an invitation, which opens as nothing else", async () => {
    const invitation = await sealLink(ring, "invitation", { email: "Ada@example.com" }, NOW + DAY);
    expect(await openLink(ring, "invitation", invitation, NOW)).toEqual({ email: "Ada@example.com" });
    for (const purpose of ["register", "proof"] as const) {
      expect(await openLink(ring, purpose, invitation, NOW)).toBe("link_forged");
    }
    expect(await openLink(ring, "invitation", link, NOW)).toBe("link_forged");
  });

  it("does not open in another service", async () => {
    expect(await openLink(await newRing(), "register", link, NOW)).toBe("link_forged");
  });

  it("does not open when the same key sealed it for another purpose", async () => {
    const plaintext = new TextEncoder().encode(JSON.stringify({ payload: PAYLOAD, expiresAt: NOW + DAY, epoch: 1 }));
    const own = await seal(ring.active("link"), plaintext, "link:register");
    const other = await seal(ring.active("link"), plaintext, "link:reset");
    expect(await openLink(ring, "register", own, NOW)).toEqual(PAYLOAD);
    expect(await openLink(ring, "register", other, NOW)).toBe("link_forged");
  });
});
