import { describe, expect, it } from "vitest";
import { readDpopProof } from "../../../src/sdk/dpop-proof.ts";

// The proofs of RFC 9449, each at the second at which it says it was made. All are of one key, whose thumbprint the RFC
// has in §6.1.
const JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const HEADER =
  "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo" +
  "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
const TOKEN_URL = "https://server.example.com/token";
const ACCESS_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

const EXAMPLES = [
  {
    name: "for a token by a code (§4.1, §5)",
    proof:
      "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0" +
      "IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
    demand: { method: "POST", url: TOKEN_URL },
    issuedAt: 1562262616,
    jti: "-BwC3ESc6acc2lTc",
  },
  {
    name: "for a token by a refresh token (§5)",
    proof:
      "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0" +
      "IjoxNTYyMjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA",
    demand: { method: "POST", url: TOKEN_URL },
    issuedAt: 1562265296,
    jti: "-BwC3ESc6acc2lTc",
  },
  {
    name: "for a resource, with an access token (§7.1)",
    proof:
      "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRy" +
      "ZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP3" +
      "5yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
    demand: { method: "GET", url: "https://resource.example.org/protectedresource", accessToken: ACCESS_TOKEN },
    issuedAt: 1562262618,
    jti: "e1j3V_bKic8-LAEB",
  },
];

describe.each(EXAMPLES)("the proof of RFC 9449 $name", ({ proof, demand, issuedAt, jti }) => {
  const read = (change: object) =>
    readDpopProof(`${HEADER}.${proof}`, { ...demand, now: issuedAt * 1000 + 500, ...change });

  it("is good", async () => {
    expect(await read({})).toEqual({ jkt: JKT, jti, nonce: undefined, issuedAt });
  });

  it.each([
    ["a day later", "wrong_time", { now: (issuedAt + 86_400) * 1000 }],
    ["for another method", "wrong_method", { method: "PUT" }],
    ["at another address", "wrong_url", { url: "https://server.example.com/tokens" }],
    ["with another access token", "wrong_token", { accessToken: `${ACCESS_TOKEN}x` }],
  ])("is not good %s", async (_, defect, change) => {
    expect(await read(change)).toEqual({ defect });
  });
});
