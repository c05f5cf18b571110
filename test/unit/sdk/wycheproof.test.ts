import { afterAll, describe, expect, it } from "vitest";
import { readAccessToken } from "../../../src/sdk/access-token.ts";
import { isSignedWith, openCompactJws } from "../../../src/sdk/compact-jws.ts";
import { readJwks } from "../../../src/sdk/jwks.ts";
import { TOKEN_MAX_LENGTH } from "../../../src/token-policy.ts";
import { readVectors } from "../support/vectors.ts";

// Project Wycheproof, through our own code. Its tokens are no access tokens ("foo" is signed in most), so each goes two
// ways: through form, key set and signature, where its verdict has to be ours; and through the whole of the verifier,
// where every one is refused.

interface Case {
  tcId: number;
  comment: string;
  result: "valid" | "invalid";
}

interface JwsFile {
  testGroups: { comment: string; public?: Jwk | { keys: Jwk[] }; private?: Jwk; tests: (Case & { jws?: string })[] }[];
}

interface SignatureFile {
  testGroups: { publicKey: { uncompressed: string }; tests: (Case & { msg: string; sig: string })[] }[];
}

type Jwk = Record<string, unknown>;

const counts: string[] = [];
afterAll(() => {
  for (const line of counts) process.stdout.write(`  Wycheproof ${line}\n`);
});

/** The key set of a group as an issuer would publish it. */
const keySetOf = (key: Jwk | { keys: Jwk[] } | undefined) =>
  JSON.stringify(key && "keys" in key ? key : { keys: [key] });

/** Form, header, key and signature: what of a token does not depend on its claims. */
async function passes(jws: string, keySet: string): Promise<boolean> {
  const opened = openCompactJws(jws, TOKEN_MAX_LENGTH);
  if (opened?.header.alg !== "ES256") return false;
  const key = (await readJwks(keySet))?.get(String(opened.header.kid));
  return key !== undefined && isSignedWith(key, opened);
}

/** The whole verifier with this key set, which has no access token to read here. */
async function isAccessToken(jws: string, keySet: string): Promise<boolean> {
  const keys = await readJwks(keySet);
  const expected = { issuer: "https://a.example", audience: "a", now: 0, clockToleranceSeconds: 60 };
  const read = await readAccessToken(jws, { ...expected, keyFor: (kid) => keys?.get(kid) });
  return !("defect" in read);
}

/** What is valid for others and not for us, because nothing here is signed so. */
const isOtherAlgorithm = (jws: string) => {
  const header = JSON.parse(Buffer.from(jws.split(".")[0] ?? "", "base64url").toString()) as Jwk;
  return header.alg !== "ES256";
};

describe.each(["json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"])("%s", (name) => {
  const file = readVectors<JwsFile>(name);
  if (!file) {
    it.skip(`NOT RUN: the file ${name} is not beside this checkout`, () => {});
    return;
  }
  const cases = file.testGroups.flatMap((group) =>
    group.tests.flatMap(({ jws, ...test }) =>
      // A secret key is all that groups about HMAC have: published, it is refused with all that stands beside it.
      jws === undefined
        ? []
        : [{ ...test, jws, group: group.comment, keySet: keySetOf(group.public ?? group.private) }],
    ),
  );
  const inES256 = cases.filter(({ keySet }) => keySet.includes('"EC"'));
  const accepted: number[] = [];

  it.each(cases)("$tcId $group: $comment ($result)", async ({ tcId, jws, result, keySet }) => {
    const isValidForUs = result === "valid" && !isOtherAlgorithm(jws);
    expect(await passes(jws, keySet)).toBe(isValidForUs);
    expect(await isAccessToken(jws, keySet)).toBe(false);
    if (isValidForUs) accepted.push(tcId);
  });

  it("holds what it is to hold", () => {
    const valid = { json_web_signature_test: [18, 378], json_web_key_test: [], json_web_crypto_test: [18] }[
      name.replace(".json", "")
    ];
    expect(accepted).toEqual(valid);
    counts.push(`${name}: ${cases.length} JWS, ${inES256.length} of them with EC keys, ${accepted.length} accepted`);
  });
});

/** A key given as a point, through our reading of key sets. */
async function keyOf(uncompressed: string): Promise<CryptoKey> {
  const point = Buffer.from(uncompressed, "hex");
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString("base64url"));
  const keys = await readJwks(JSON.stringify({ keys: [{ kty: "EC", crv: "P-256", x, y, kid: "k" }] }));
  const key = keys?.get("k");
  if (!key) throw new Error("a key of the vectors was refused");
  return key;
}

/** A signature as the third part of a token: which says only whether it has the form of one. */
const withSignature = (sig: string) =>
  openCompactJws(
    `${Buffer.from('{"a":1}').toString("base64url")}.e30.${Buffer.from(sig, "hex").toString("base64url")}`,
    4096,
  );

async function verdict(key: CryptoKey, msg: string, sig: string): Promise<"form" | boolean> {
  const signature = withSignature(sig)?.signature;
  if (!signature) return "form";
  return isSignedWith(key, { signature, signedBytes: new Uint8Array(Buffer.from(msg, "hex")) });
}

describe("P-256 signatures, two numbers of 32 bytes each (ecdsa_secp256r1_sha256_p1363_test.json)", () => {
  const name = "ecdsa_secp256r1_sha256_p1363_test.json";
  const file = readVectors<SignatureFile>(name);
  if (!file) {
    it.skip(`NOT RUN: the file ${name} is not beside this checkout`, () => {});
    return;
  }

  it("each is what it is said to be, and of another length none is looked at", async () => {
    const tally = { accepted: 0, refused: 0, "of another length": 0 };
    for (const { publicKey, tests } of file.testGroups) {
      const key = await keyOf(publicKey.uncompressed);
      for (const { tcId, msg, sig, result } of tests) {
        const is = await verdict(key, msg, sig);
        expect([tcId, is === true]).toEqual([tcId, result === "valid"]);
        expect([tcId, is === "form"]).toEqual([tcId, sig.length !== 128]);
        tally[is === "form" ? "of another length" : is ? "accepted" : "refused"] += 1;
      }
    }
    expect(tally).toEqual({ accepted: 173, refused: 68, "of another length": 21 });
    counts.push(`${name}: ${JSON.stringify(tally)}`);
  });
});

describe("P-256 signatures in DER (ecdsa_secp256r1_sha256_test.json)", () => {
  const name = "ecdsa_secp256r1_sha256_test.json";
  const file = readVectors<SignatureFile>(name);
  if (!file) {
    it.skip(`NOT RUN: the file ${name} is not beside this checkout`, () => {});
    return;
  }

  it("none is a token's signature, valid or not: all have another length", async () => {
    const tally = { accepted: 0, refused: 0, "of another length": 0 };
    for (const { publicKey, tests } of file.testGroups) {
      const key = await keyOf(publicKey.uncompressed);
      for (const { msg, sig } of tests) {
        const is = await verdict(key, msg, sig);
        tally[is === "form" ? "of another length" : is ? "accepted" : "refused"] += 1;
      }
    }
    expect(tally).toEqual({ accepted: 0, refused: 0, "of another length": 484 });
    counts.push(`${name}: ${JSON.stringify(tally)}`);
  });
});
