import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Acr,
  describeProof,
  type FactorTimes,
  type Proof,
  type ProvenFactor,
  passkeyTime,
  secondFactorTime,
  strongFactorTime,
  withProven,
} from "../../../src/tokens/proof.ts";

const TOTP: ProvenFactor = { method: "totp" };
const RECOVERY: ProvenFactor = { method: "recovery_code" };
const passkeyOf = (key: "swk" | "hwk", userVerified: boolean) => ({ method: "passkey", key, userVerified }) as const;
const PASSKEYS = (["swk", "hwk"] as const).flatMap((key) => [true, false].map((verified) => passkeyOf(key, verified)));

/** From weakest to strongest: what asks for one of them takes the ones behind it. */
const ORDER: Acr[] = ["aal1", "aal2-recovery", "aal2"];
const levelOf = (proof: Proof) => ORDER.indexOf(describeProof(proof).acr);

/**
 * Everything that can be proven next in a session: where no password was shown a passkey must verify its user, and the
 * password is asked again where no factor is left and after a recovery code.
 */
function nextProofs(proof: Proof, at: number): Proof[] {
  const factors = [TOTP, RECOVERY, ...PASSKEYS.filter((one) => proof.pwd !== undefined || one.userVerified)];
  return [...factors.map((proven) => withProven(proof, proven, at * 1000)), { ...proof, pwd: at }];
}

const signIns = (at: number): Proof[] => [
  { pwd: at },
  ...PASSKEYS.filter(({ userVerified }) => userVerified).map((one) => withProven({}, one, at * 1000)),
];

const namesOf = (proof: Proof) => Object.keys(describeProof(proof).factors).sort().join(" ");

/** One proof for each set of factors, with and without a verified user, that a session can come to. */
function reachableProofs(): Proof[] {
  const found = new Map<string, Proof>();
  let open = signIns(100);
  for (let at = 101; open.length > 0; at += 1) {
    const unseen = open.filter((proof) => !found.has(Object.keys(proof).sort().join(" ")));
    for (const proof of unseen) found.set(Object.keys(proof).sort().join(" "), proof);
    open = unseen.flatMap((proof) => nextProofs(proof, at));
  }
  return [...found.values()];
}

/** What a token says, by the factors in it. Every set of factors that can happen is here, and no other. */
const CLAIMS: Record<string, [acr: Acr, amr: string[]]> = {
  pwd: ["aal1", ["pwd"]],
  "otp pwd": ["aal2", ["pwd", "otp", "mfa"]],
  "pwd swk": ["aal2", ["pwd", "swk", "user", "pop", "mfa"]],
  "hwk pwd": ["aal2", ["pwd", "hwk", "user", "pop", "mfa"]],
  "otp pwd swk": ["aal2", ["pwd", "otp", "swk", "user", "pop", "mfa"]],
  "hwk otp pwd": ["aal2", ["pwd", "otp", "hwk", "user", "pop", "mfa"]],
  "hwk pwd swk": ["aal2", ["pwd", "hwk", "swk", "user", "pop", "mfa"]],
  "hwk otp pwd swk": ["aal2", ["pwd", "otp", "hwk", "swk", "user", "pop", "mfa"]],
  swk: ["aal2", ["swk", "user", "pop", "mfa"]],
  hwk: ["aal2", ["hwk", "user", "pop", "mfa"]],
  "hwk swk": ["aal2", ["hwk", "swk", "user", "pop", "mfa"]],
  "otp swk": ["aal2", ["otp", "swk", "user", "pop", "mfa"]],
  "hwk otp": ["aal2", ["otp", "hwk", "user", "pop", "mfa"]],
  "hwk otp swk": ["aal2", ["otp", "hwk", "swk", "user", "pop", "mfa"]],
  "pwd recovery_code": ["aal2-recovery", ["pwd", "mfa"]],
  // A recovery code in the place of a passkey that had been shown alone, and a code in the place of that.
  recovery_code: ["aal2-recovery", ["mfa"]],
  otp: ["aal1", ["otp"]],
};

describe("what a token says of a proof", () => {
  const reachable = reachableProofs();

  it("is written down for every set of factors that can happen", () => {
    expect([...new Set(reachable.map(namesOf))].sort()).toEqual(Object.keys(CLAIMS).sort());
  });

  it.each(reachable.map((proof): [string, Proof] => [Object.keys(proof).join(" "), proof]))("%s", (_, proof) => {
    const { uv: __, ...factors } = proof;
    const [acr, amr] = CLAIMS[namesOf(proof)] ?? [];
    const auth_time = Math.max(...Object.values(factors));
    expect(describeProof(proof)).toEqual({ acr, amr, auth_time, factors });
  });

  it.each([
    ["a passkey that did not verify its user", { swk: 1 }, ["swk", "user", "pop"]],
    ["a security key that did not", { hwk: 1 }, ["hwk", "user", "pop"]],
    // Two things to have, and nothing that anybody knows or is.
    ["two keys and a code, of no verified user", { swk: 1, hwk: 2, otp: 3 }, ["otp", "hwk", "swk", "user", "pop"]],
    ["a verified user of no key", { otp: 1, uv: 1 }, ["otp"]],
  ])("is one factor and no more for %s", (_, proof, amr) => {
    expect(describeProof(proof)).toMatchObject({ acr: "aal1", amr });
  });

  it("is the same in whatever order things were proven", () => {
    const { factors: _, ...claims } = describeProof({ otp: 130, pwd: 100 });
    expect(claims).toEqual({ acr: "aal2", amr: ["pwd", "otp", "mfa"], auth_time: 130 });
    expect(describeProof({ pwd: 500, otp: 130 }).auth_time).toBe(500);
  });
});

describe("one more factor", () => {
  it.each([
    [TOTP, { pwd: 1, otp: 9 }],
    [passkeyOf("swk", true), { pwd: 1, swk: 9, uv: 9 }],
    [passkeyOf("swk", false), { pwd: 1, swk: 9 }],
    [passkeyOf("hwk", true), { pwd: 1, hwk: 9, uv: 9 }],
    [passkeyOf("hwk", false), { pwd: 1, hwk: 9 }],
    [RECOVERY, { pwd: 1, recovery_code: 9 }],
  ] as [ProvenFactor, Proof][])("beside a password: %j", (proven, proof) => {
    expect(withProven({ pwd: 1 }, proven, 9000)).toEqual(proof);
  });

  it("is newer than the same one before, and leaves the others their time", () => {
    const proof = { pwd: 1, otp: 2, swk: 3, uv: 3 };
    expect(withProven(proof, TOTP, 9000)).toEqual({ ...proof, otp: 9 });
    expect(withProven(proof, passkeyOf("swk", true), 9000)).toEqual({ ...proof, swk: 9, uv: 9 });
    // Nobody was verified this time: that was then.
    expect(withProven(proof, passkeyOf("swk", false), 9000)).toEqual({ ...proof, swk: 9 });
  });

  it("counts from the second that has begun", () => {
    expect(withProven({}, TOTP, 9999)).toEqual({ otp: 9 });
  });

  it("leaves what it was given untouched", () => {
    const proof = { pwd: 1, otp: 2, recovery_code: 3 };
    for (const proven of [TOTP, RECOVERY, ...PASSKEYS]) withProven(proof, proven, 9000);
    expect(proof).toEqual({ pwd: 1, otp: 2, recovery_code: 3 });
  });
});

// A life of a session: how it was opened, and which of the next proofs was given, each some seconds later.
const lives = fc.tuple(
  fc.nat({ max: 2 }),
  fc.array(fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 5000 })), { maxLength: 12 }),
);

function live([opened, steps]: [number, [number, number][]], visit: (before: Proof, after: Proof, at: number) => void) {
  let at = 1_000_000;
  let proof = signIns(at)[opened] ?? {};
  visit({}, proof, at);
  for (const [pick, later] of steps) {
    at += later;
    const next = nextProofs(proof, at);
    const after = next[pick % next.length] ?? proof;
    visit(proof, after, at);
    proof = after;
  }
}

/** A law of every step of every session. */
const law = (holds: (before: Proof, after: Proof, at: number) => void) =>
  fc.assert(fc.property(lives, (life) => live(life, holds)));

describe("whatever is proven, in whatever order", () => {
  it("a recovery code leaves no stronger factor standing, and a stronger factor takes its place", () => {
    law((before, after) => {
      const gave = (name: keyof Proof) => after[name] !== undefined;
      if (gave("recovery_code")) expect([gave("otp"), gave("swk"), gave("hwk"), gave("uv")]).not.toContain(true);
      if (before.recovery_code !== undefined && strongFactorTime(after) !== undefined) {
        expect(gave("recovery_code")).toBe(false);
      }
    });
  });

  it("a recovery code is the level of its own, and nothing else is", () => {
    law((_, after) => {
      expect(describeProof(after).acr === "aal2-recovery").toBe(after.recovery_code !== undefined);
    });
  });

  it("the password stays proven, for as long as the session lives", () => {
    law((before, after) => {
      if (before.pwd !== undefined) expect(after.pwd).toBeGreaterThanOrEqual(before.pwd);
    });
  });

  it("when a user was verified is nobody else's business: no token names it", () => {
    law((_, after) => {
      expect(JSON.stringify(describeProof(after))).not.toContain('"uv"');
      const names: (keyof FactorTimes)[] = ["pwd", "otp", "swk", "hwk", "recovery_code"];
      expect(names).toEqual(expect.arrayContaining(Object.keys(describeProof(after).factors)));
    });
  });

  it("a user is verified by a passkey, and never later than it", () => {
    law((_, after) => {
      if (after.uv !== undefined) expect(after.uv).toBeLessThanOrEqual(passkeyTime(after) ?? 0);
    });
  });

  it("the time of the token is that of what was proven last", () => {
    law((_, after, at) => {
      expect(describeProof(after).auth_time).toBe(at);
      expect(Object.values(describeProof(after).factors)).toContain(at);
    });
  });

  it("the methods are each named once, from RFC 8176, and more than one factor is what mfa means", () => {
    law((_, after) => {
      const { acr, amr, factors } = describeProof(after);
      expect(amr).toEqual([...new Set(amr)]);
      expect(["pwd", "otp", "swk", "hwk", "user", "pop", "mfa"]).toEqual(expect.arrayContaining(amr));
      expect(amr.includes("mfa")).toBe(acr !== "aal1");
      for (const name of ["user", "pop"]) expect(amr.includes(name)).toBe(passkeyTime(factors) !== undefined);
      for (const name of ["pwd", "otp", "swk", "hwk"] as const) {
        expect(amr.includes(name)).toBe(factors[name] !== undefined);
      }
    });
  });

  it("beside a password a normal factor never lowers the level, and always comes to the highest", () => {
    law((before, after) => {
      if (before.pwd === undefined || strongFactorTime(after) === undefined) return;
      expect(describeProof(after).acr).toBe("aal2");
      expect(levelOf(after)).toBeGreaterThanOrEqual(levelOf(before));
    });
  });
});

describe("when a factor was last proven", () => {
  it.each([
    ["nothing", {}, undefined, undefined, undefined],
    ["a password", { pwd: 9 }, undefined, undefined, undefined],
    ["a recovery code, which makes nothing fresh", { pwd: 9, recovery_code: 5 }, undefined, 5, undefined],
    ["a code", { pwd: 9, otp: 5 }, 5, 5, undefined],
    ["a passkey", { pwd: 9, swk: 5, uv: 8 }, 5, 5, 5],
    ["a security key", { hwk: 5, uv: 8 }, 5, 5, 5],
    ["several", { pwd: 9, otp: 4, swk: 6, hwk: 5 }, 6, 6, 6],
    ["a code after a passkey", { otp: 7, swk: 6 }, 7, 7, 6],
    ["everything at the epoch itself", { otp: 0, swk: 0 }, 0, 0, 0],
  ])("with %s", (_, proof, strong, second, passkey) => {
    expect(strongFactorTime(proof)).toBe(strong);
    expect(secondFactorTime(proof)).toBe(second);
    expect(passkeyTime(proof)).toBe(passkey);
  });
});
