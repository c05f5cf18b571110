import { bruteForce } from "./brute-force.ts";
import { credentialStuffing } from "./credential-stuffing.ts";
import type { Detector } from "./detector.ts";
import { distributedBruteForce } from "./distributed-brute-force.ts";
import { failureRatio } from "./failure-ratio.ts";
import { impossibleTravel } from "./impossible-travel.ts";
import { passwordSpraying } from "./password-spraying.ts";
import { recoveryCodeGuessing } from "./recovery-code-guessing.ts";
import { refreshTokenReuse } from "./refresh-token-reuse.ts";
import { resetFlooding } from "./reset-flooding.ts";
import { secondFactorGuessing } from "./second-factor-guessing.ts";
import { secondFactorUnproven } from "./second-factor-unproven.ts";
import { slowPasswordSpraying } from "./slow-password-spraying.ts";

/** One detector a pattern. What each keeps is its own, and nobody else reads it. */
export const DETECTORS: readonly Detector[] = [
  passwordSpraying,
  slowPasswordSpraying,
  credentialStuffing,
  bruteForce,
  distributedBruteForce,
  secondFactorGuessing,
  secondFactorUnproven,
  recoveryCodeGuessing,
  refreshTokenReuse,
  resetFlooding,
  impossibleTravel,
  failureRatio,
];
