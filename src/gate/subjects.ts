import type { KeyRing } from "../keys/key-ring.ts";
import { emailDigest, keyedDigest } from "../keys/keyed-digest.ts";
import { GATE_SHARDS } from "../policy.ts";
import type { ClientNetwork } from "./network.ts";
import type { SubjectKind } from "./windows.ts";

/** Something whose failures are counted. The key names it inside its gate and holds no address of a person. */
export interface Subject {
  kind: SubjectKind;
  key: string;
  /** Counted with the others, but what was counted before does not refuse this try. */
  onlyCounted?: true;
}

/** Subjects that are counted together, and the shard that counts them. */
export interface GateRequest {
  shard: string;
  subjects: Subject[];
}

/**
 * A client and its surroundings: sharded by the surroundings, so that one call counts both. A browser that is recognised
 * for the address it names is counted and not refused: who shares a network with it must not close its way.
 */
export async function sourceGate(
  ring: KeyRing,
  { source, network }: ClientNetwork,
  isRecognised = false,
): Promise<GateRequest> {
  const subjects: Subject[] = [
    { kind: "source", key: `source:${source}` },
    { kind: "network", key: `network:${network}` },
  ];
  return { shard: await networkShard(ring, network), subjects: isRecognised ? subjects.map(onlyCounted) : subjects };
}

/**
 * A sign-in by passkey alone, which names no address. Its own failures refuse it and nothing else does, so that guessed
 * passwords never close it; but each of its failures is one of the client, too.
 */
export async function assertionGate(ring: KeyRing, client: ClientNetwork): Promise<GateRequest> {
  const { shard, subjects } = await sourceGate(ring, client);
  const own: Subject[] = [
    { kind: "assertions_from_source", key: `assertions-from:${client.source}` },
    { kind: "assertions_from_network", key: `assertions-from:${client.network}` },
  ];
  return { shard, subjects: [...own, ...subjects.map(onlyCounted)] };
}

/**
 * An email key, known or not, tried from one client. A browser that its account recognises (`browserId`, of a device
 * cookie that was verified for this account) has a bucket of its own, wherever it is. With a mailed proof (`proofId`, of a link that
 * was opened and names this email key) the attempts of the proof stand in for the waits of the pair.
 */
export async function emailGate(
  ring: KeyRing,
  emailKey: string,
  { source }: ClientNetwork,
  browserId?: string,
  proofId?: string,
): Promise<GateRequest> {
  const digest = await emailDigest(ring, emailKey);
  const bucket = browserId === undefined ? source : `browser:${browserId}`;
  const pair: Subject = { kind: "pair", key: `pair:${digest}:${bucket}` };
  const proof: Subject = { kind: "proof", key: `proof:${proofId}` };
  return { shard: shardOf(digest), subjects: proofId === undefined ? [pair] : [proof, onlyCounted(pair)] };
}

/** What mails are about that strangers can cause. Each is counted by itself, so that one never uses up the other. */
export type MailTopic = "mails" | "resets" | "recoveries" | "changes";

/** Mails that one client asks for, and its surroundings. */
export async function mailsFromSourceGate(
  ring: KeyRing,
  { source, network }: ClientNetwork,
  topic: MailTopic = "mails",
): Promise<GateRequest> {
  const subjects: Subject[] = [
    { kind: "mails_from_source", key: `${topic}-from:${source}` },
    { kind: "mails_from_network", key: `${topic}-from:${network}` },
  ];
  return { shard: await networkShard(ring, network), subjects };
}

/** Mails to one address, whoever asks for them. */
export async function mailsToAddressGate(
  ring: KeyRing,
  emailKey: string,
  topic: MailTopic = "mails",
): Promise<GateRequest> {
  const digest = await emailDigest(ring, emailKey);
  return { shard: shardOf(digest), subjects: [{ kind: "mails_to_address", key: `${topic}-to:${digest}` }] };
}

/** Proofs that one client asks for, and its surroundings; registrations of others must not use them up. */
export async function proofsFromSourceGate(ring: KeyRing, { source, network }: ClientNetwork): Promise<GateRequest> {
  const subjects: Subject[] = [
    { kind: "mails_from_source", key: `proofs-from:${source}` },
    { kind: "mails_from_network", key: `proofs-from:${network}` },
  ];
  return { shard: await networkShard(ring, network), subjects };
}

/** Proofs mailed to one address, counted by themselves: no other mail may stand in the way of a sign-in. */
export async function proofMailGate(ring: KeyRing, emailKey: string): Promise<GateRequest> {
  const digest = await emailDigest(ring, emailKey);
  return { shard: shardOf(digest), subjects: [{ kind: "proofs_to_address", key: `proofs-to:${digest}` }] };
}

function onlyCounted(subject: Subject): Subject {
  return { ...subject, onlyCounted: true };
}

async function networkShard(ring: KeyRing, network: string): Promise<string> {
  return shardOf(await keyedDigest(ring, `network:${network}`));
}

function shardOf(digest: string): string {
  return String(Number.parseInt(digest.slice(0, 8), 16) % GATE_SHARDS);
}
