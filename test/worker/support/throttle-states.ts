import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { emailKey } from "../../../src/directory/email-key.ts";
import { type ClientNetwork, clientNetwork } from "../../../src/gate/network.ts";
import { type Credit, emailGate, type GateRequest, sourceGate } from "../../../src/gate/subjects.ts";
import { ADDRESS_FAILURES, ADDRESS_FAILURES_MAX, NETWORK_FAILURES, SOURCE_FAILURES } from "../../../src/policy.ts";
import { sealLink } from "../../../src/tokens/one-time-link.ts";
import { type Answer, type Call, call, newSource, ring } from "../../support/in-worker.ts";

/** A state of the throttles in which somebody shows a password, and what everybody hears then, whoever he names. */
export interface ThrottleState {
  name: string;
  status: number;
  code: string;
  /** Password hashes that are computed. */
  hashes: 0 | 1;
  /** Brings the gates there, for an address and for who asks. */
  enter(email: string, source: string): Promise<void>;
  /** What is shown besides the password. */
  proofFor?(email: string): Promise<object>;
}

const keyOf = (email: string) => emailKey(email) ?? "";
const elsewhere = () => clientNetwork(newSource());

/** A try that fails, at one gate: all that a wrong password leaves there, without the hash. */
async function failAt({ shard, subjects }: GateRequest): Promise<void> {
  const gate = env.GATES.getByName(shard);
  const reserved = await gate.reserve(subjects);
  if ("refused" in reserved) throw new Error(`refused on the way: ${reserved.refused}`);
  await gate.settle(reserved.reservation, subjects, "wrong");
}

async function failAtAddress(email: string, times: number, credit: Credit = {}, from?: ClientNetwork): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    await failAt(await emailGate(await ring(), keyOf(email), from ?? elsewhere(), credit));
  }
}

const besiege = (email: string) => failAtAddress(email, ADDRESS_FAILURES);
async function close(email: string): Promise<void> {
  await besiege(email);
  await failAtAddress(email, ADDRESS_FAILURES_MAX - ADDRESS_FAILURES, { passedBotCheck: true });
}

const mailedProof = async (email: string) => {
  const payload = { id: crypto.randomUUID(), emailKey: keyOf(email) };
  return { kind: "mail_link", token: await sealLink(await ring(), "proof", payload, Date.now() + 60_000) };
};
const botCheck = async () => ({ kind: "turnstile", token: crypto.randomUUID() });

const WRONG = { status: 401, code: "sign_in_failed", hashes: 1 } as const;
const WAIT = { status: 429, code: "too_many_attempts", hashes: 0 } as const;

/** Every state of the throttles at the first door. */
export const THROTTLE_STATES: ThrottleState[] = [
  { name: "free", ...WRONG, enter: async () => {} },
  { name: "pair throttled", ...WAIT, enter: (email, source) => failAtAddress(email, 5, {}, clientNetwork(source)) },
  {
    name: "source throttled",
    ...WAIT,
    async enter(_, source) {
      for (let i = 0; i < SOURCE_FAILURES; i += 1) await failAt(await sourceGate(await ring(), clientNetwork(source)));
    },
  },
  {
    name: "network throttled",
    ...WAIT,
    async enter(_, source) {
      const { network } = clientNetwork(source);
      for (let i = 0; i < NETWORK_FAILURES; i += 1) {
        await failAt(await sourceGate(await ring(), { source: `${source}${i}`, network }));
      }
    },
  },
  { name: "proof required", status: 403, code: "proof_required", hashes: 0, enter: besiege },
  { name: "proof required, with a mailed proof", ...WRONG, enter: besiege, proofFor: mailedProof },
  { name: "proof required, with a bot check", ...WRONG, enter: besiege, proofFor: botCheck },
  { name: "closed", ...WAIT, enter: close },
  { name: "closed, with a mailed proof", ...WAIT, enter: close, proofFor: mailedProof },
  { name: "closed, with a bot check", ...WAIT, enter: close, proofFor: botCheck },
];

/** Settings with a bot check, whose siteverify {@link answerBotChecks} is. */
export const BOT_CHECK = {
  TURNSTILE_SITE_KEY: "0x4AAAsite",
  TURNSTILE_SECRET: "0x4AAAsecret",
  TURNSTILE_VERIFY_URL: "https://verify.example/",
};

/** Passes everybody who is checked. */
export function answerBotChecks(): void {
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => Response.json({ success: true }));
}

/** Shows a password in a state. */
export async function knock(
  { proofFor }: ThrottleState,
  email: string,
  password: string,
  source: string,
  options: Call = {},
): Promise<Answer> {
  const proof = proofFor ? { proof: await proofFor(email) } : {};
  const bindings = { ...(options.bindings ?? env), ...BOT_CHECK };
  return call("/auth/login", { email, password, ...proof }, { ...options, source, bindings });
}
