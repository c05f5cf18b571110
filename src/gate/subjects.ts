import { ADDRESS_MARK_DIGITS } from "../event-policy.ts";
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
  /** Of an address: something speaks for this try, so that only the cap on failures in a row counts and refuses it. */
  capOnly?: true;
  /** Of a network: which address is tried, in a few digits, so that different ones can be told apart. */
  mark?: string;
}

/** Subjects that are counted together, and the shard that counts them. */
export interface GateRequest {
  shard: string;
  subjects: Subject[];
  /** Digest of the email key that a try names, for its event. */
  address?: string;
}

/** The same, where an email key is what they are about. */
export interface AddressRequest extends GateRequest {
  address: string;
}

/** What speaks for whoever knocks. */
export interface Credit {
  /** A browser that is recognised for this very address, by a device cookie that was verified. */
  browserId?: string | undefined;
  /** A mailed proof of this very address, of a link that was opened and names it. */
  proofId?: string | undefined;
  /** Whoever knocks was checked not to be a program. */
  passedBotCheck?: boolean | undefined;
  /** A link that a session of this very account has had mailed was opened. */
  holdsLink?: boolean | undefined;
}

/**
 * A client and its surroundings: sharded by the surroundings, so that one call counts both. A browser that is recognised
 * for the address it names is counted and not refused: who shares a network with it must not close its way. `address`:
 * digest of the email key that is tried, if any.
 */
export async function sourceGate(
  ring: KeyRing,
  { source, network }: ClientNetwork,
  isRecognised = false,
  address?: string,
): Promise<GateRequest> {
  const mark = address === undefined ? {} : { mark: address.slice(0, ADDRESS_MARK_DIGITS) };
  const subjects: Subject[] = [
    { kind: "source", key: `source:${source}` },
    { kind: "network", key: `network:${network}`, ...mark },
  ];
  return { shard: await networkShard(ring, network), subjects: isRecognised ? subjects.map(onlyCounted) : subjects };
}

/** The surroundings of a client alone, by the name that events give them (`Circumstances.source`): for who acts on alerts. */
export async function networkGate(ring: KeyRing, network: string): Promise<GateRequest> {
  return { shard: await networkShard(ring, network), subjects: [{ kind: "network", key: `network:${network}` }] };
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
 * An email key, known or not, tried from one client: the pair of both, and the address over all clients. A recognised
 * browser has a bucket of its own, wherever it is, and the failures of strangers are nothing to it; the profile `nist`
 * counts it towards the cap. With a mailed proof its attempts stand in for the waits of the pair. Whatever speaks for a
 * try, the address asks no proof of it.
 */
export async function emailGate(
  ring: KeyRing,
  emailKey: string,
  { source }: ClientNetwork,
  credit: Credit = {},
  profile: "standard" | "nist" = "standard",
): Promise<GateRequest> {
  const { browserId, proofId, passedBotCheck, holdsLink } = credit;
  const digest = await emailDigest(ring, emailKey);
  const bucket = browserId === undefined ? source : `browser:${browserId}`;
  const pair: Subject = { kind: "pair", key: `pair:${digest}:${bucket}` };
  const proof: Subject = { kind: "proof", key: `proof:${proofId}` };
  const { shard, subjects } = addressGate(digest);
  const isSpokenFor = [browserId !== undefined, proofId !== undefined, passedBotCheck, holdsLink].includes(true);
  const counted = browserId !== undefined && profile === "standard" ? [] : subjects;
  const address = counted.map((subject): Subject => (isSpokenFor ? { ...subject, capOnly: true } : subject));
  return { shard, subjects: [...(proofId === undefined ? [pair] : [proof, onlyCounted(pair)]), ...address] };
}

/** An address over all clients that nobody recognises, by the digest of its email key (`SecurityEvent.address`). */
export function addressGate(digest: string): GateRequest {
  return { shard: shardOf(digest), subjects: [{ kind: "address", key: `address:${digest}` }] };
}

/** The same tries, of which the address takes note without refusing any: for a door whose answer tells nobody anything. */
export function addressOnlyCounted({ shard, subjects }: GateRequest): GateRequest {
  return { shard, subjects: subjects.map((subject) => (isAddress(subject) ? onlyCounted(subject) : subject)) };
}

/** The same tries, of which the address knows nothing: for a door at which no account can be guessed at. */
export function withoutAddress({ shard, subjects }: GateRequest): GateRequest {
  return { shard, subjects: subjects.filter((subject) => !isAddress(subject)) };
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
): Promise<AddressRequest> {
  const digest = await emailDigest(ring, emailKey);
  return {
    shard: shardOf(digest),
    subjects: [{ kind: "mails_to_address", key: `${topic}-to:${digest}` }],
    address: digest,
  };
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
export async function proofMailGate(ring: KeyRing, emailKey: string): Promise<AddressRequest> {
  const digest = await emailDigest(ring, emailKey);
  return {
    shard: shardOf(digest),
    subjects: [{ kind: "proofs_to_address", key: `proofs-to:${digest}` }],
    address: digest,
  };
}

function onlyCounted(subject: Subject): Subject {
  return { ...subject, onlyCounted: true };
}

function isAddress({ kind }: Subject): boolean {
  return kind === "address";
}

async function networkShard(ring: KeyRing, network: string): Promise<string> {
  return shardOf(await keyedDigest(ring, `network:${network}`));
}

function shardOf(digest: string): string {
  return String(Number.parseInt(digest.slice(0, 8), 16) % GATE_SHARDS);
}
