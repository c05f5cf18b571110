import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { call, logIn, newGuardedPerson, signIn } from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { costOf } from "./support/costs.ts";
import { newPasskeyPerson, signInOptions } from "./support/passkeys.ts";
import { enterProofMode } from "./support/proof-mode.ts";

/** The text with another character in one place. */
function otherAt(text: string, index: number): string {
  return `${text.slice(0, index)}${text[index] === "B" ? "C" : "B"}${text.slice(index + 1)}`;
}

describe("what is forged wakes no account object", () => {
  const accounts = async () => (await listDurableObjectIds(env.ACCOUNTS)).length;
  const FORGED_JWT = `${btoa('{"alg":"HS256","typ":"enrolment+jwt","kid":"1"}').replaceAll("=", "")}.e30.${"A".repeat(43)}`;

  it("a user handle or a challenge of a passkey sign-in: the gate of the client alone", async () => {
    const person = await newPasskeyPerson();
    const before = await accounts();
    const handle = person.key.credentials[0]?.userHandle ?? "";
    const mine = await person.key.assert(await signInOptions());
    const handles = [
      ...[0, 1, 10, 40, handle.length - 1].map((index) => otherAt(handle, index)),
      "A".repeat(handle.length),
      null,
    ].map((userHandle) => ({ ...mine, response: { ...mine.response, userHandle } }));
    const challenges = [
      await person.key.assert({ challenge: "A".repeat(76) }),
      await person.key.assert({ challenge: "A".repeat(43) }),
    ];
    for (const response of [...handles, ...challenges]) {
      const cost = await costOf((options) => call("/auth/passkey/verify", { response }, options));
      expect(cost.answer).toMatchObject({ status: 401, body: { code: "invalid_code" } });
      expect(cost.calls.filter((name) => !name.startsWith("gate."))).toEqual([]);
    }
    expect(await accounts()).toBe(before);
  });

  it("an enrolment or challenge token: nothing at all", async () => {
    const before = await accounts();
    for (const path of ["totp/enroll", "passkeys/options"]) {
      const cost = await costOf((options) => call(`/auth/2fa/${path}`, {}, { ...options, bearer: FORGED_JWT }));
      expect(cost.answer.body.code).toBe("invalid_challenge");
      expect(cost.calls).toEqual([]);
    }
    const forged = { challenge_token: FORGED_JWT };
    const response = await (await newPasskeyPerson()).key.assert({ challenge: "A".repeat(43) });
    const woken = await accounts();
    for (const [path, body] of [
      ["/auth/2fa/passkey/options", forged],
      ["/auth/2fa/verify", { ...forged, method: "recovery_code", code: "0".repeat(24) }],
      ["/auth/2fa/verify", { ...forged, method: "passkey", response }],
    ] as const) {
      const cost = await costOf((options) => call(path, body, options));
      expect(cost.answer.body.code).toBe("invalid_challenge");
      expect(cost.calls).toEqual([]);
    }
    expect(await accounts()).toBe(woken);
    expect(woken).toBe(before + 1);
  });

  it("a proof: the gate of its client, and no hash", async () => {
    const person = await newGuardedPerson();
    const cost = await costOf((options) => logIn(person, { ...options, proof: "A".repeat(200) }));
    expect(cost.answer.body.code).toBe("invalid_link");
    expect(cost.calls.filter((name) => !name.startsWith("gate."))).toEqual([]);
  });

  it("a cookie of a browser says nothing, and costs nothing", async () => {
    const [person, browser] = [await newGuardedPerson(), new Browser()];
    await signIn(person, 0, { browser });
    const device = browser.cookies.get("__Host-sallyport_dev") ?? "";
    await enterProofMode(person);
    const forged = [0, 10, 40, device.length - 1].map((index) => otherAt(device, index));
    for (const cookie of [...forged, "A".repeat(5_000), ""]) {
      browser.cookies.set("__Host-sallyport_dev", cookie);
      expect((await logIn(person, { browser })).body.code).toBe("proof_required");
    }
    browser.cookies.set("__Host-sallyport_dev", device);
    expect((await logIn(person, { browser })).body.status).toBe("challenge");
  });
});
