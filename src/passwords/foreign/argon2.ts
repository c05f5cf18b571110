import { FOREIGN_ARGON2 } from "../../policy.ts";
import type { Argon2id, Argon2Variant } from "../argon2id.ts";
import type { ForeignArgon2, Read } from "./foreign-hash.ts";
import { bytesOfBase64, hasUsualSizes } from "./spellings.ts";

/** Argon2 of any variant as a PHC string, Django's prefix forgiven; without a version it is of the one before 19. */
const SHAPE =
  /^(?:argon2)?\$(argon2(?:id|i|d))\$(?:v=(\d{1,3})\$)?m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,10})\$([^$]+)\$([^$]+)$/;
const BEFORE_VERSIONS = 16;
/** RFC 9106 §3.1: eight KiB a lane; the reference implementation refuses shorter salts. */
const LANE_MIN_KIB = 8;
const SALT_MIN_BYTES = 8;

/** Reads a hash of Argon2. */
export function readArgon2(text: string): Read<ForeignArgon2> {
  if (!/^(argon2)?\$argon2/.test(text)) return undefined;
  const [, variant, named, memory, passes, lanes, ...encoded] = SHAPE.exec(text) ?? [];
  const [salt, tag] = encoded.map(bytesOfBase64);
  const version = Number(named ?? BEFORE_VERSIONS);
  if (!salt || !tag) return { malformed: "is not an Argon2 hash of the form $argon2id$v=19$m=…,t=…,p=…$salt$hash" };
  if (version !== 16 && version !== 19) return { malformed: "is of a version of Argon2 that is not known" };
  const cost = { memory: Number(memory), passes: Number(passes), lanes: Number(lanes) };
  const isPossible = cost.passes > 0 && cost.lanes > 0 && cost.memory >= LANE_MIN_KIB * cost.lanes;
  if (!isPossible || salt.length < SALT_MIN_BYTES || !hasUsualSizes(salt, tag)) {
    return { malformed: "has parameters that no Argon2 hash has" };
  }
  return { made: { scheme: "argon2", variant: variant as Argon2Variant, version, ...cost }, salt, tag };
}

/** Why a hash costs more than a sign-in may take, if it does. */
export function excessOfArgon2({ memory, passes, lanes }: ForeignArgon2): string | undefined {
  if (memory > FOREIGN_ARGON2.memory) return `Argon2 with m above ${FOREIGN_ARGON2.memory}`;
  const most = FOREIGN_ARGON2.memoryTimesPasses;
  if (memory * passes > most) return `Argon2 with m times t above ${most}`;
  if (passes > FOREIGN_ARGON2.passes) return `Argon2 with t above ${FOREIGN_ARGON2.passes}`;
  return lanes > FOREIGN_ARGON2.lanes ? `Argon2 with p above ${FOREIGN_ARGON2.lanes}` : undefined;
}

/** The tag of a password. */
export function tagOfArgon2(
  argon2: Argon2id,
  made: ForeignArgon2,
  password: string,
  salt: Uint8Array,
  tagBytes: number,
): Uint8Array {
  return argon2(new TextEncoder().encode(password), salt, made, tagBytes);
}
