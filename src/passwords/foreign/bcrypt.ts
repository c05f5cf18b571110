import { FOREIGN_BCRYPT_COST } from "../../policy.ts";
import type { ForeignBcrypt, Read } from "./foreign-hash.ts";
import { bytesOfBcryptBase64 } from "./spellings.ts";

/**
 * bcrypt, Django's prefix forgiven. `2a`, `2b` and `2y` name the same function: what told them apart were errors of
 * single implementations that no exporter has. `2x` marks the hashes with such an error.
 */
const SHAPE = /^(?:bcrypt\$)?\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/;
const COST = { min: 4, max: 31 } as const;
const SALT_BYTES = 16;

/** Reads a hash of bcrypt. */
export function readBcrypt(text: string): Read<ForeignBcrypt> {
  if (!/^(bcrypt\$)?\$2[a-z]?\$/.test(text)) return undefined;
  const [, digits, ...encoded] = SHAPE.exec(text) ?? [];
  const [salt, tag] = encoded.map(bytesOfBcryptBase64);
  if (!salt || !tag) return { malformed: "is not a bcrypt hash of the form $2b$10$ and 53 characters" };
  const cost = Number(digits);
  if (cost < COST.min || cost > COST.max) return { malformed: "has a cost that no bcrypt hash has" };
  return { made: { scheme: "bcrypt", cost }, salt, tag };
}

/** Why a hash costs more than a sign-in may take, if it does. */
export function excessOfBcrypt({ cost }: ForeignBcrypt): string | undefined {
  return cost > FOREIGN_BCRYPT_COST ? `bcrypt with a cost above ${FOREIGN_BCRYPT_COST}` : undefined;
}

/**
 * The tag of a password: of its first 72 bytes, as bcrypt has it, a NUL among them counting like any other. The library
 * waits for the first such password: few services ever import one.
 */
export async function tagOfBcrypt({ cost }: ForeignBcrypt, password: string, salt: Uint8Array): Promise<Uint8Array> {
  const { encodeBase64, hashSync } = await import("bcryptjs");
  const setting = `$2b$${String(cost).padStart(2, "0")}$${encodeBase64([...salt], SALT_BYTES)}`;
  const tag = bytesOfBcryptBase64(hashSync(password, setting).slice(setting.length));
  if (!tag) throw new Error("bcrypt gave something else than a hash");
  return tag;
}
