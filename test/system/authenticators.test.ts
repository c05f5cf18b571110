import { execFileSync } from "node:child_process";
import jsQR from "jsqr";
import { Secret, TOTP, URI } from "otpauth";
import { expect, it } from "vitest";
import { answerChallenge, challenged, confirm, enrol, me, signedIn, text, verifiedPerson } from "../support/client.ts";

const PIXELS = 4;

/** What a camera reads from the SVG: its modules drawn as pixels, black on the white that the SVG brings itself. */
function scan(svg: string): string {
  const size = Number(/viewBox="0 0 (\d+) /.exec(svg)?.[1]);
  const side = size * PIXELS;
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  let [x, y] = [0, 0];
  for (const [, move, dx, dy] of svg.matchAll(/([Mm])(-?\d+)[ ,]?(-?\d+)/g)) {
    [x, y] = move === "M" ? [Number(dx), Number(dy)] : [x + Number(dx), y + Number(dy)];
    for (let row = y * PIXELS; row < (y + 1) * PIXELS; row += 1) {
      for (let column = x * PIXELS; column < (x + 1) * PIXELS; column += 1)
        pixels.fill(0, (row * side + column) * 4, (row * side + column) * 4 + 3);
    }
  }
  return jsQR(pixels, side, side)?.data ?? "";
}

/** Registers, enrols by QR code and signs in with an authenticator that makes the code of a moment. */
async function fullSignIn(codeOf: (uri: string) => (at: number) => string): Promise<void> {
  const person = await verifiedPerson();
  const session = await signedIn(person);
  const shown = await enrol(session.access);
  expect(text(shown, "qr_svg")).toContain('fill="#fff"');
  const uri = scan(text(shown, "qr_svg"));
  expect(uri).toBe(text(shown, "otpauth_uri"));
  const code = codeOf(uri);
  const confirmed = await confirm(session.access, text(shown, "factor_id"), code(Date.now() - 30_000));
  expect(confirmed.body).toMatchObject({ status: "active", recovery_codes: expect.any(Array) });
  const opened = await answerChallenge(await challenged(person), code(Date.now()));
  expect(opened.status).toBe(200);
  expect((await me(text(opened, "access_token"))).body).toMatchObject({ acr: "aal2", amr: ["pwd", "otp", "mfa"] });
}

it("otpauth, fed by the QR code, opens the second door", async () => {
  await fullSignIn((uri) => {
    const totp = URI.parse(uri);
    if (!(totp instanceof TOTP)) throw new Error(`not a TOTP: ${uri}`);
    return (at) => totp.generate({ timestamp: at });
  });
});

const oathtool = hasOathtool();
const title = oathtool ? "" : " (SKIPPED: oathtool is not installed; on Debian: apt-get install oathtool)";

it.skipIf(!oathtool)(`oathtool, fed by the QR code, opens the second door${title}`, async () => {
  await fullSignIn((uri) => {
    const secret = new URL(uri).searchParams.get("secret") ?? "";
    return (at) => {
      const now = `@${Math.floor(at / 1000)}`;
      return execFileSync("oathtool", ["--totp", "--base32", "--now", now, secret], { encoding: "utf8" }).trim();
    };
  });
});

it.skipIf(!oathtool)(`oathtool and otpauth make the same codes${title}`, () => {
  const secret = new Secret({ size: 20 });
  const totp = new TOTP({ secret });
  for (const at of [0, 59_000, 1_111_111_109_000, Date.now(), 20_000_000_000_000]) {
    const now = new Date(at).toISOString().replace("T", " ").replace(/\..*/, " UTC");
    const code = execFileSync("oathtool", ["--totp", "--base32", "--now", now, secret.base32], { encoding: "utf8" });
    expect(code.trim()).toBe(totp.generate({ timestamp: at }));
  }
});

function hasOathtool(): boolean {
  try {
    execFileSync("oathtool", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
