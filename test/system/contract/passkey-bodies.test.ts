import { describe, expect, it } from "vitest";
import {
  type Answer,
  challenged,
  expectProblem,
  issuer,
  type Json,
  post,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  addPasskey,
  answerByPasskey,
  answerWithPasskey,
  assertionFor,
  creation,
  creationOptions,
  passkeyPerson,
  register,
  signInByPasskey,
  syncedPasskey,
  usernamelessAssertion,
  verifyPasskey,
} from "../../support/passkey-client.ts";
import type { Edits } from "../../support/software-authenticator.ts";

const summary = ({ status, body }: Answer) => `${status} ${body.code}`;

/** A response with one member missing or of another type. */
function misshapen(good: Json & { response: Json }, members: readonly string[]): unknown[] {
  const inner = members.flatMap((member) =>
    [undefined, null, 1, ["AAAA"], {}].map((value) => ({
      ...good,
      response: { ...good.response, [member]: value },
    })),
  );
  const outer = ["id", "rawId", "type", "response"].flatMap((member) =>
    [undefined, null, 1, []].map((value) => ({ ...good, [member]: value })),
  );
  return [undefined, null, "text", 7, true, [], [good], {}, ...outer, ...inner];
}

describe("a body that holds no assertion", () => {
  it("is malformed at both doors, and spends no attempt", async () => {
    const person = await passkeyPerson();
    const challenge = await challenged(person);
    const good = await assertionFor(challenge, person.passkey);
    const whole = { ...good, response: { ...good.response } };
    const wrong = misshapen(whole, ["clientDataJSON", "authenticatorData", "signature"]);
    for (const response of [...wrong, { ...good, response: { ...good.response, userHandle: 1 } }]) {
      const answers = [
        await post("/auth/2fa/verify", { challenge_token: challenge, method: "passkey", response }),
        await post("/auth/passkey/verify", { response }),
      ];
      for (const answer of answers) expect(summary(answer), JSON.stringify(response)).toBe("400 invalid_request");
    }
    expect((await answerWithPasskey(challenge, good)).body.status).toBe("authenticated");
  });

  it("is one with a member that would decide for the service, or that comes twice", async () => {
    const person = await passkeyPerson();
    const challenge = await challenged(person);
    const good = await assertionFor(challenge, person.passkey);
    for (const extra of [
      { user: "1" },
      { challenge: "AAAA" },
      { verified: true },
      { origin: issuer },
      { code: "123456" },
    ]) {
      const verify = { challenge_token: challenge, method: "passkey", response: good, ...extra };
      expect(summary(await post("/auth/2fa/verify", verify))).toBe("400 invalid_request");
      expect(summary(await verifyPasskey(good, extra))).toBe("400 invalid_request");
      expect(summary(await post("/auth/passkey/options", extra))).toBe("400 invalid_request");
      const options = { challenge_token: challenge, ...extra };
      expect(summary(await post("/auth/2fa/passkey/options", options))).toBe("400 invalid_request");
    }
    for (const method of ["totp", "recovery_code", "webauthn", "", undefined, ["passkey"]]) {
      const body = { challenge_token: challenge, method, response: good };
      expect(summary(await post("/auth/2fa/verify", body))).toBe("400 invalid_request");
    }
    for (const path of ["/auth/passkey/verify", "/auth/2fa/verify"]) {
      const members = path === "/auth/2fa/verify" ? `"challenge_token":"${challenge}","method":"passkey",` : "";
      const twice = `{${members}"response":{},"response":${JSON.stringify(good)}}`;
      expect(summary(await post(path, twice))).toBe("400 invalid_request");
    }
    expect((await answerWithPasskey(challenge, good)).body.status).toBe("authenticated");
  });
});

describe("a body that holds no registration", () => {
  it("is malformed, and leaves the options as they were", async () => {
    const session = await signedIn(await verifiedPerson());
    const good = await syncedPasskey().register(creation(await creationOptions(session.access)));
    const whole = { ...good, response: { ...good.response } };
    for (const response of misshapen(whole, ["clientDataJSON", "attestationObject"])) {
      const answer = await post("/auth/2fa/passkeys", { response }, { bearer: session.access });
      expect(summary(answer), JSON.stringify(response)).toBe("400 invalid_request");
    }
    for (const more of [{ label: 1 }, { label: null }, { label: "x".repeat(10_000) }, { kind: "totp" }, { id: "1" }]) {
      const answer = await register(session.access, good, more);
      expect(summary(answer), JSON.stringify(more).slice(0, 50)).toBe("400 invalid_request");
    }
    expect((await register(session.access, good)).status).toBe(201);
  });
});

describe("the size of a body", () => {
  const padded = <T extends object>(response: T, bytes: number) => ({
    ...response,
    clientExtensionResults: { padding: "x".repeat(bytes) },
  });

  it("may be 64 KiB where a registration or an assertion is due", async () => {
    const person = await verifiedPerson();
    const session = await signedIn(person);
    const passkey = syncedPasskey();
    const registration = await passkey.register(creation(await creationOptions(session.access)));
    expectProblem(await register(session.access, padded(registration, 65 * 1024)), 413, "payload_too_large");
    const large = await register(session.access, padded(registration, 60 * 1024));
    expect(large.status, large.text).toBe(201);
    const alone = await usernamelessAssertion(passkey);
    expectProblem(await verifyPasskey(padded(alone, 65 * 1024)), 413, "payload_too_large");
    expect((await verifyPasskey(padded(alone, 60 * 1024))).body.status).toBe("authenticated");
    const challenge = await challenged(person);
    const second = await assertionFor(challenge, passkey);
    expectProblem(await answerWithPasskey(challenge, padded(second, 65 * 1024)), 413, "payload_too_large");
    expect((await answerWithPasskey(challenge, second)).body.status).toBe("authenticated");
  });
});

describe("what browsers send", () => {
  it("is taken as it is: members that nobody knows, no crossOrigin in older ones, no backup of a synced key now", async () => {
    const person = await passkeyPerson();
    const unusual: Edits[] = [
      { clientData: { other_keys_can_be_added_here: "see §5.8.1.1" } },
      { clientData: { crossOrigin: undefined } },
      { flags: { bs: false } },
    ];
    for (const edits of unusual) {
      const answer = await signInByPasskey(person.passkey, edits);
      expect(answer.body.status, answer.text).toBe("authenticated");
      const key = syncedPasskey();
      const added = await addPasskey(text(answer, "access_token"), key, {}, edits);
      expect(added.status, added.text).toBe(201);
      const second = await answerByPasskey(await challenged(person), key, edits);
      expect(second.body.status, second.text).toBe("authenticated");
    }
  });
});
