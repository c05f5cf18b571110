import { beforeAll, describe, expect, it, vi } from "vitest";
import {
  isConfirmable,
  matchFactors,
  provenStep,
  sealContext,
  type TotpFactor,
} from "../../../src/account/totp-factors.ts";
import { hotpCode, newTotpSecret, totpStep } from "../../../src/factors/totp.ts";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { seal } from "../../../src/keys/seal.ts";
import { NOW, totpFactor } from "../support/account-samples.ts";
import { newRing } from "../support/rings.ts";

const ACCOUNT = "account-1";
const STEP = totpStep(NOW);

let ring: KeyRing;
let secret: Uint8Array<ArrayBuffer>;
let factor: TotpFactor;

beforeAll(async () => {
  ring = await newRing();
  secret = newTotpSecret();
  factor = await factorOf("f1", secret);
});

describe("a factor that waits for its first code", () => {
  const pending = { ownerId: "s1", until: NOW + 600_000, attempts: 0 };
  const waiting = (changes = {}): TotpFactor => ({ ...factor, pending: { ...pending, ...changes } });

  it("can be confirmed by whom the secret was shown to, until it is forgotten", () => {
    expect(isConfirmable(waiting(), "s1", NOW)).toBe(true);
    expect(isConfirmable(waiting(), "s1", NOW + 599_999)).toBe(true);
    expect(isConfirmable(waiting(), "s1", NOW + 600_000)).toBe(false);
    expect(isConfirmable(waiting(), "s2", NOW)).toBe(false);
  });

  it("takes five codes", () => {
    expect(isConfirmable(waiting({ attempts: 4 }), "s1", NOW)).toBe(true);
    expect(isConfirmable(waiting({ attempts: 5 }), "s1", NOW)).toBe(false);
  });

  it("cannot be confirmed once it is active", () => {
    expect(isConfirmable(factor, "s1", NOW)).toBe(false);
  });
});

describe("a code", () => {
  it("matches the step of its own factor", async () => {
    const code = await hotpCode(secret, STEP, 6);
    expect(await matchFactors(ring, ACCOUNT, [factor], code, NOW)).toEqual([{ factorId: "f1", steps: [STEP] }]);
  });

  it("is compared with every factor, whatever the first one says", async () => {
    const others = await Promise.all(["f2", "f3"].map((id) => factorOf(id, newTotpSecret())));
    const code = await hotpCode(secret, STEP, 6);
    const sign = vi.spyOn(crypto.subtle, "sign");
    const matches = await matchFactors(ring, ACCOUNT, [factor, ...others], code, NOW);
    expect(sign).toHaveBeenCalledTimes(9);
    sign.mockRestore();
    expect(matches.map(({ factorId }) => factorId)).toEqual(["f1", "f2", "f3"]);
    expect(matches[0]?.steps).toContain(STEP);
  });

  it.each([
    ["of another account", (own: TotpFactor) => ({ account: "account-2", factor: own })],
    ["moved to another factor", (own: TotpFactor) => ({ account: ACCOUNT, factor: { ...own, id: "f2" } })],
    ["that is empty", (own: TotpFactor) => ({ account: ACCOUNT, factor: { ...own, sealedSecret: "" } })],
    [
      "that was cut",
      (own: TotpFactor) => ({ account: ACCOUNT, factor: { ...own, sealedSecret: own.sealedSecret.slice(4) } }),
    ],
  ])("matches nothing against a sealed secret %s", async (_, moved) => {
    const code = await hotpCode(secret, STEP, 6);
    const { account, factor: changed } = moved(factor);
    const [match] = await matchFactors(ring, account, [changed], code, NOW);
    expect(match?.steps).toEqual([]);
  });

  it("matches nothing where there is no factor", async () => {
    expect(await matchFactors(ring, ACCOUNT, [], "000000", NOW)).toEqual([]);
  });
});

describe("the step that a code proves", () => {
  it("is above the last accepted one of its own factor", () => {
    const matches = [{ factorId: "f1", steps: [10] }];
    expect(provenStep(matches, () => undefined)).toEqual({ factorId: "f1", step: 10 });
    expect(provenStep(matches, () => 9)).toEqual({ factorId: "f1", step: 10 });
    expect(provenStep(matches, () => 10)).toBeUndefined();
    expect(provenStep(matches, () => 11)).toBeUndefined();
  });

  it("is looked for in the next factor when the first one has used it up", () => {
    const matches = [
      { factorId: "f1", steps: [10] },
      { factorId: "f2", steps: [10] },
    ];
    const accepted: Record<string, number> = { f1: 10 };
    expect(provenStep(matches, (id) => accepted[id])).toEqual({ factorId: "f2", step: 10 });
  });

  it("does not exist where nothing matched", () => {
    expect(provenStep([], () => undefined)).toBeUndefined();
    expect(provenStep([{ factorId: "f1", steps: [] }], () => undefined)).toBeUndefined();
  });
});

async function factorOf(id: string, bytes: Uint8Array): Promise<TotpFactor> {
  const sealedSecret = await seal(ring.active("seal"), bytes, sealContext(ACCOUNT, id));
  return totpFactor({ id, sealedSecret });
}
