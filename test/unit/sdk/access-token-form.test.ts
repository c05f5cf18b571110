import { describe, expect, it } from "vitest";
import { openCompactJws } from "../../../src/sdk/compact-jws.ts";
import { CLAIMS, encoded, HEADER, read, signatureOf, signed, signedTexts } from "../support/forged-tokens.ts";
import { respelt } from "../support/jwt-parts.ts";
import { quickest } from "../support/timing.ts";

const json = JSON.stringify;
const token = await signed();
const [header = "", payload = "", signature = ""] = token.split(".");
const input = `${header}.${payload}`;
const bytes = Buffer.from(signature, "base64url");
const malformed = { defect: "malformed" };

/** The DER form of a signature, as most libraries make it. */
function derOf(raw: Buffer): Buffer {
  const integer = (value: Buffer) => {
    const bare = value.subarray(value.findIndex((byte) => byte !== 0));
    const positive = (bare[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.from([0]), bare]) : bare;
    return Buffer.concat([Buffer.from([2, positive.length]), positive]);
  };
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

describe("the form of a token (JWT-04)", () => {
  it.each([
    ["nothing", ""],
    ["a space before it", ` ${token}`],
    ["a newline after it", `${token}\n`],
    ["a tab inside", token.replace(".", ".\t")],
    ["its scheme before it", `Bearer ${token}`],
    ["two tokens", `${token},${token}`],
    ["two tokens and a space", `${token}, ${token}`],
    ["padding after its signature", `${token}==`],
    ["padding after its claims", `${header}.${payload}=.${signature}`],
    ["the other base64 alphabet", `${header}.${payload}.${signature.slice(0, -2)}+/`],
    ["no signature", `${input}.`],
    ["no second dot", input],
    ["no header", `.${payload}.${signature}`],
    ["no claims", `${header}..${signature}`],
    ["five parts", `${header}.${payload}.${payload}.${payload}.${signature}`],
    ["four parts", `${token}.`],
    ["its signature twice", `${token}.${signature}`],
    ["a letter that looks like one", `${header}.${payload}.${signature.slice(0, -1)}А`],
    ["a NUL", `${token}\0`],
    ["flattened JSON", json({ protected: header, payload, signature })],
    ["general JSON", json({ payload, signatures: [{ protected: header, signature }] })],
    ["JSON that hides its parts", `{"protected":"${header}","a.${payload}.${signature}":1}`],
  ])("%s is refused", async (_, text) => {
    expect(await read(text)).toEqual(malformed);
  });

  it("each part has one spelling: with a stray bit set it is another text, and refused", async () => {
    expect(Buffer.from(respelt(signature), "base64url")).toEqual(bytes);
    expect(await read(`${input}.${respelt(signature)}`)).toEqual(malformed);
    // A header and claims of lengths that leave bits over, signed as they are spelt: only their form is wrong.
    for (const spaces of ["", "x", "xx"]) {
      const parts = [json({ ...HEADER, kid: `${HEADER.kid}${spaces}` }), json({ ...CLAIMS, sid: `s${spaces}` })];
      const [first = "", second = ""] = parts.map(encoded);
      for (const text of [`${respeltIfSpare(first)}.${second}`, `${first}.${respeltIfSpare(second)}`]) {
        if (text === `${first}.${second}`) continue;
        expect(await read(`${text}.${encoded(await signatureOf(text))}`, { anyKid: true })).toEqual(malformed);
      }
      const good = await signedTexts(parts[0] ?? "", parts[1] ?? "");
      expect(await read(good, { anyKid: true })).not.toHaveProperty("defect");
    }
  });

  it("what is no text at all is refused like one", async () => {
    for (const value of [undefined, null, 1, {}, [token], new String(token)]) {
      expect(await read(value as string)).toEqual(malformed);
    }
  });

  it("any single character changed is refused", async () => {
    for (let at = 0; at < token.length; at += 1) {
      const other = token[at] === "A" ? "B" : "A";
      expect(await read(token.slice(0, at) + other + token.slice(at + 1))).toHaveProperty("defect");
    }
  });
});

describe("the signature's form (attacks E08, E10)", () => {
  it.each([
    ["in DER", derOf(bytes)],
    ["of 63 bytes", bytes.subarray(1)],
    ["of 65 bytes", Buffer.concat([Buffer.from([0]), bytes])],
    ["of 65 bytes, with its end repeated", Buffer.concat([bytes, bytes.subarray(63)])],
    ["of 96 bytes", Buffer.concat([bytes, bytes.subarray(32)])],
    ["of 128 bytes", Buffer.concat([bytes, bytes])],
    ["of 2,000 bytes", Buffer.alloc(2000)],
    ["of 16,372 bytes", Buffer.alloc(16_372)],
  ])("%s is refused", async (_, other) => {
    expect(await read(`${input}.${encoded(other)}`)).toEqual(malformed);
  });

  const n = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
  const numbers = ["0".repeat(64), `${"0".repeat(63)}1`, n, n.replace(/1$/, "0"), n.replace(/1$/, "2"), "f".repeat(64)];
  const half = bytes.subarray(0, 32).toString("hex");

  it("no signature of zeros, ones and orders fits", async () => {
    for (const r of [...numbers, half]) {
      for (const s of [...numbers, half]) {
        const odd = `${input}.${encoded(Buffer.from(r + s, "hex"))}`;
        expect(await read(odd)).toEqual({ defect: "bad_signature" });
      }
    }
  });
});

describe("sizes (attacks E19, E20)", () => {
  /** A good token of this many characters. */
  async function ofLength(length: number): Promise<string> {
    for (let fill = 0; fill < 4096; fill += 1) {
      const claims = json({ ...CLAIMS, x: "x".repeat(fill) });
      if (header.length + encoded(claims).length + 88 === length) return signedTexts(json(HEADER), claims);
    }
    throw new Error(`no token has ${length} characters`);
  }

  it("4,096 characters are a token, and 4,097 are none", async () => {
    expect(await read(await ofLength(4096))).toEqual(CLAIMS);
    expect(await read(await ofLength(4097).catch(() => ofLength(4098)))).toEqual(malformed);
  });

  it.each([
    ["of 1 MB", `${header}.${"A".repeat(1_000_000)}.${signature}`],
    ["of 6 MB", `${"A".repeat(6_000_000)}.${payload}.${signature}`],
    ["of 10,000 dots", ".".repeat(10_000)],
    ["of 4,000 dots", ".".repeat(4000)],
    ["of five parts with a cost in its header", `${encoded(json({ alg: "PBES2-HS256+A128KW", p2c: 2 ** 31 }))}....`],
    ["with a header of a thousand levels", `${encoded(`{"a":${"[".repeat(1000)}`)}.${payload}.${signature}`],
  ])("a token %s is refused at once", async (_, text) => {
    expect(await read(text)).toEqual(malformed);
    expect(quickest(() => openCompactJws(text, 4096))).toBeLessThan(20);
  });
});

/** The same bytes in another spelling, where the last character has bits to spare. */
function respeltIfSpare(part: string): string {
  return part.length % 4 === 0 ? part : respelt(part);
}
