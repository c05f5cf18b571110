/**
 * What a person has proven, and when (epoch seconds). Names are RFC 8176 values where there is one: `swk` is a passkey
 * that may be copied to other devices, `hwk` one that cannot leave its device.
 */
export interface FactorTimes {
  pwd?: number;
  otp?: number;
  swk?: number;
  hwk?: number;
  recovery_code?: number;
}

/** Proof as a session keeps it: with `uv`, when an authenticator last verified its user (WebAuthn §6.1, flag UV). */
export interface Proof extends FactorTimes {
  uv?: number;
}

/** Authentication context classes, weakest first: asking for `aal2` refuses `aal2-recovery`. */
export const ACRS = ["aal1", "aal2-recovery", "aal2"] as const;

/** What a proof is worth. */
export type Acr = (typeof ACRS)[number];

/** What a token says about the sign-in behind it (RFC 9068 §2.2.1). */
export interface ProofClaims {
  acr: Acr;
  amr: string[];
  /** Last proof by the user, epoch seconds. A refresh never moves it. */
  auth_time: number;
  factors: FactorTimes;
}

/** What an answer at the second door has proven. */
export type ProvenFactor =
  | { method: "totp" }
  | { method: "recovery_code" }
  | { method: "passkey"; key: "swk" | "hwk"; userVerified: boolean };

/** Derives `acr`, `amr` and `auth_time` from what was proven: nothing else may claim a level. */
export function describeProof({ uv, ...factors }: Proof): ProofClaims {
  const acr = acrOf(factors, uv !== undefined);
  const hasPasskey = passkeyTime(factors) !== undefined;
  const amr = [
    ...(["pwd", "otp", "hwk", "swk"] as const).filter((name) => factors[name] !== undefined),
    ...(hasPasskey ? ["user", "pop"] : []),
    ...(acr === "aal1" ? [] : ["mfa"]),
  ];
  return { acr, amr, auth_time: Math.max(...Object.values(factors)), factors };
}

/**
 * The proof after one more factor. A recovery code takes the place of stronger factors, which its owner could not
 * show; a stronger factor takes the place of the recovery code.
 */
export function withProven({ recovery_code: _, ...proof }: Proof, proven: ProvenFactor, now: number): Proof {
  const at = Math.floor(now / 1000);
  switch (proven.method) {
    case "totp":
      return { ...proof, otp: at };
    case "passkey":
      return { ...proof, [proven.key]: at, ...(proven.userVerified ? { uv: at } : {}) };
    case "recovery_code":
      return { ...(proof.pwd === undefined ? {} : { pwd: proof.pwd }), recovery_code: at };
  }
}

/** When a TOTP or a passkey was last proven; nothing where neither was. A recovery code makes nothing fresh. */
export function strongFactorTime(factors: FactorTimes): number | undefined {
  return latest(factors.otp, factors.swk, factors.hwk);
}

/** When any second factor was last proven. */
export function secondFactorTime(factors: FactorTimes): number | undefined {
  return latest(strongFactorTime(factors), factors.recovery_code);
}

/** When a passkey was last proven. */
export function passkeyTime(factors: FactorTimes): number | undefined {
  return latest(factors.swk, factors.hwk);
}

/** A passkey that has verified its user is two factors by itself; without that it is one, like a code. */
function acrOf(factors: FactorTimes, userVerified: boolean): Acr {
  if (factors.recovery_code !== undefined) return "aal2-recovery";
  const knows = factors.pwd !== undefined || (userVerified && passkeyTime(factors) !== undefined);
  return knows && strongFactorTime(factors) !== undefined ? "aal2" : "aal1";
}

function latest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}
