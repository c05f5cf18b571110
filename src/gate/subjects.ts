import type { KeyRing } from "../keys/key-ring.ts";
import { GATE_SHARDS } from "../policy.ts";
import type { ClientNetwork } from "./network.ts";
import type { SubjectKind } from "./windows.ts";

/** Something whose failures are counted. The key names it inside its gate and holds no address of a person. */
export interface Subject {
  kind: SubjectKind;
  key: string;
}

/** Subjects that are counted together, and the shard that counts them. */
export interface GateRequest {
  shard: string;
  subjects: Subject[];
}

/** A client and its surroundings: sharded by the surroundings, so that one call counts both. */
export async function sourceGate(ring: KeyRing, { source, network }: ClientNetwork): Promise<GateRequest> {
  const subjects: Subject[] = [
    { kind: "source", key: `source:${source}` },
    { kind: "network", key: `network:${network}` },
  ];
  return { shard: shardOf(await keyedDigest(ring, `network:${network}`)), subjects };
}

/** An email key, known or not, tried from one client. */
export async function emailGate(ring: KeyRing, emailKey: string, { source }: ClientNetwork): Promise<GateRequest> {
  const digest = await keyedDigest(ring, `email:${emailKey}`);
  return { shard: shardOf(digest), subjects: [{ kind: "pair", key: `pair:${digest}:${source}` }] };
}

/** Mails that one client asks for, and its surroundings. */
export async function mailsFromSourceGate(ring: KeyRing, { source, network }: ClientNetwork): Promise<GateRequest> {
  const shard = shardOf(await keyedDigest(ring, `network:${network}`));
  const subjects: Subject[] = [
    { kind: "mails_from_source", key: `mails-from:${source}` },
    { kind: "mails_from_network", key: `mails-from:${network}` },
  ];
  return { shard, subjects };
}

/** Mails to one address, whoever asks for them. */
export async function mailsToAddressGate(ring: KeyRing, emailKey: string): Promise<GateRequest> {
  const digest = await keyedDigest(ring, `email:${emailKey}`);
  return { shard: shardOf(digest), subjects: [{ kind: "mails_to_address", key: `mails-to:${digest}` }] };
}

async function keyedDigest(ring: KeyRing, text: string): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", ring.active("digest").key, new TextEncoder().encode(text));
  return Array.from(new Uint8Array(mac).subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function shardOf(digest: string): string {
  return String(Number.parseInt(digest.slice(0, 8), 16) % GATE_SHARDS);
}
