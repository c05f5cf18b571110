import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type DataKey, decodeCanonical, seal, unseal } from "../../../src/keys/seal.ts";

const PLAINTEXT = new TextEncoder().encode("twenty bytes of text");

let by: DataKey;
let sealed: string;

beforeAll(async () => {
  by = await newKey(7);
  sealed = await seal(by, PLAINTEXT, "totp:account:factor");
});

/** Knows one key and no other, as a ring does. */
const only = (known: DataKey) => (id: number) => (id === known.id ? known : undefined);

describe("a sealed value", () => {
  it("opens under its key and context", async () => {
    expect(await unseal(only(by), sealed, "totp:account:factor")).toEqual(PLAINTEXT);
  });

  it("holds any bytes, none too", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.string(), async (bytes, context) => {
        const opened = await unseal(only(by), await seal(by, new Uint8Array(bytes), context), context);
        expect(opened && [...opened]).toEqual([...bytes]);
      }),
      { numRuns: 50 },
    );
  });

  it("is another text each time, so that equal secrets do not show", async () => {
    const texts = await Promise.all(Array.from({ length: 20 }, () => seal(by, PLAINTEXT, "c")));
    expect(new Set(texts).size).toBe(20);
    expect(new Set(texts.map((text) => bytesOf(text).subarray(1, 13).toString("hex"))).size).toBe(20);
  });

  it("shows nothing but the id of its key", async () => {
    expect(bytesOf(sealed)[0]).toBe(7);
    expect(bytesOf(sealed).length).toBe(1 + 12 + PLAINTEXT.length + 16);
    expect(bytesOf(sealed).includes(Buffer.from(PLAINTEXT.subarray(0, 4)))).toBe(false);
  });
});

describe("a sealed value does not open", () => {
  it.each(["", "totp:account:other", "totp:account:factor ", "totp:account:facto", "link:register"])(
    "in another context: %j",
    async (context) => {
      expect(await unseal(only(by), sealed, context)).toBeUndefined();
    },
  );

  it("with any single bit flipped", async () => {
    const bytes = bytesOf(sealed);
    const opened: number[] = [];
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // Even a flipped key id must not help: here every id is the same key.
      const anyId = (id: number): DataKey => ({ id, key: by.key });
      const accepts = bit < 8 ? only(by) : anyId;
      if (await unseal(accepts, changed.toString("base64url"), "totp:account:factor")) opened.push(bit);
    }
    expect(opened).toEqual([]);
  });

  it("cut at any length", async () => {
    for (let length = 0; length < bytesOf(sealed).length; length += 1) {
      const cut = bytesOf(sealed).subarray(0, length).toString("base64url");
      expect(await unseal(only(by), cut, "totp:account:factor")).toBeUndefined();
    }
  });

  it("in any other spelling", async () => {
    // 48 bytes and the key id make 49: the last character carries two bits and four that must be zero.
    const last = sealed.at(-1) ?? "";
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const respelt = sealed.slice(0, -1) + alphabet[alphabet.indexOf(last) + 1];
    expect(bytesOf(respelt)).toEqual(bytesOf(sealed));
    const others = [respelt, `${sealed}==`, `${sealed} `, ` ${sealed}`, `${sealed}\n`, `${sealed}A`, `${sealed}.`];
    for (const other of [...others, `${sealed.slice(0, 9)} ${sealed.slice(9)}`, sealed.replaceAll(/[-_]/g, "+")]) {
      if (other !== sealed) expect(await unseal(only(by), other, "totp:account:factor")).toBeUndefined();
    }
  });

  it("when its key is gone, or is another one of the same id", async () => {
    expect(await unseal(() => undefined, sealed, "totp:account:factor")).toBeUndefined();
    expect(await unseal(only(await newKey(7)), sealed, "totp:account:factor")).toBeUndefined();
  });

  it.each(["", "A", "AAAA", "💥", "null"])("when it never was one: %j", async (text) => {
    expect(await unseal((id) => ({ id, key: by.key }), text, "totp:account:factor")).toBeUndefined();
  });
});

describe("canonical base64url", () => {
  it("has one spelling for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (bytes) => {
        const text = Buffer.from(bytes).toString("base64url");
        expect([...(decodeCanonical(text) ?? [])]).toEqual([...bytes]);
      }),
    );
  });

  it("has no two texts for the same bytes", () => {
    const characters = fc.constantFrom(..."ABab01-_+/= \n");
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 12 }), (text) => {
        const bytes = decodeCanonical(text);
        if (bytes) expect(Buffer.from(bytes).toString("base64url")).toBe(text);
      }),
    );
  });
});

async function newKey(id: number): Promise<DataKey> {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  return { id, key: key as CryptoKey };
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, "base64url");
}
