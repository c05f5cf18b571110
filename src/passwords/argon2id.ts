/**
 * Cost of one Argon2 hash (RFC 9106 §3.1). `memory` in KiB. Argon2id of the RFC, unless an imported hash was made with
 * another `variant`, or with the `version` 16 that came before it.
 */
export interface Argon2Parameters {
  memory: number;
  passes: number;
  lanes: number;
  variant?: Argon2Variant;
  version?: Argon2Version;
}

export type Argon2Variant = "argon2d" | "argon2i" | "argon2id";
export type Argon2Version = 16 | 19;

/** Computes the Argon2 tag of a password. Synchronous: nothing else runs in the isolate meanwhile. */
export type Argon2id = (
  password: Uint8Array,
  salt: Uint8Array,
  parameters: Argon2Parameters,
  tagBytes: number,
) => Uint8Array<ArrayBuffer>;

/** What the reference implementation, compiled to WebAssembly, offers. */
interface Argon2Exports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  malloc(bytes: number): number;
  free(pointer: number): void;
  argon2_hash(...parameters: number[]): number;
}

/** Numbers of RFC 9106 §3.1, and the version that the standard became. */
const TYPES: Record<Argon2Variant, number> = { argon2d: 0, argon2i: 1, argon2id: 2 };
const VERSION: Argon2Version = 0x13;

/**
 * Argon2id over a compiled `argon2.wasm` of `@phi-ag/argon2`. Its exports are called directly with the bytes of the
 * password: the package's own JavaScript passes the number of UTF-16 units as the number of bytes, and so cuts the end
 * off every password that is not ASCII. The instance is made at the first hash and its memory is used again. Memory of
 * WebAssembly never shrinks, and a greater block than before would be put beside the old one: for that a new instance is
 * made, and the old one goes.
 */
export function argon2idOf(module: WebAssembly.Module): Argon2id {
  let instance: Argon2Exports | undefined;
  let greatest = 0;
  return (password, salt, parameters, tagBytes) => {
    if (!instance || parameters.memory > greatest) instance = instantiate(module);
    greatest = Math.max(greatest, parameters.memory);
    return hash(instance, password, salt, parameters, tagBytes);
  };
}

function instantiate(module: WebAssembly.Module): Argon2Exports {
  const exports = new WebAssembly.Instance(module).exports as unknown as Argon2Exports;
  exports._initialize();
  return exports;
}

function hash(
  wasm: Argon2Exports,
  password: Uint8Array,
  salt: Uint8Array,
  { memory, passes, lanes, variant = "argon2id", version = VERSION }: Argon2Parameters,
  tagBytes: number,
): Uint8Array<ArrayBuffer> {
  const passwordAt = place(wasm, password);
  const saltAt = place(wasm, salt);
  const tagAt = place(wasm, new Uint8Array(tagBytes));
  const { length } = password;
  const noEncodedForm = [0, 0];
  const inputs = [passes, memory, lanes, passwordAt, length, saltAt, salt.length, tagAt, tagBytes];
  const failure = wasm.argon2_hash(...inputs, ...noEncodedForm, TYPES[variant], version);
  // A new view each time: growing the memory detaches the ones that came before.
  const tag = new Uint8Array(wasm.memory.buffer).slice(tagAt, tagAt + tagBytes);
  new Uint8Array(wasm.memory.buffer).fill(0, passwordAt, passwordAt + length).fill(0, tagAt, tagAt + tagBytes);
  for (const pointer of [passwordAt, saltAt, tagAt]) wasm.free(pointer);
  if (failure !== 0) throw new Error(`Argon2id failed with code ${failure}`);
  return tag;
}

function place(wasm: Argon2Exports, bytes: Uint8Array): number {
  const pointer = wasm.malloc(Math.max(1, bytes.length));
  if (pointer === 0) throw new Error("no memory for a password hash");
  new Uint8Array(wasm.memory.buffer).set(bytes, pointer);
  return pointer;
}
