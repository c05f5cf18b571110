import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addChallenge, type Challenge, dropDead, isLive, startChallenge } from "../../../src/account/challenges.ts";
import { challenge, NOW, TERMS } from "../support/account-samples.ts";

const FLOOR = { passwordVersion: 3, epoch: 2 };

describe("a challenge", () => {
  it("can be answered until it expires, to the millisecond", () => {
    expect(isLive(challenge(), NOW)).toBe(true);
    expect(isLive(challenge(), NOW + 299_999)).toBe(true);
    expect(isLive(challenge(), NOW + 300_000)).toBe(false);
  });

  it("takes five attempts", () => {
    expect(isLive(challenge({ attempts: 4 }), NOW)).toBe(true);
    expect(isLive(challenge({ attempts: 5 }), NOW)).toBe(false);
    expect(isLive(challenge({ attempts: 6 }), NOW)).toBe(false);
  });

  it("starts with five minutes, no attempt, and the password version and epoch of its verdict", () => {
    const subject = { purpose: "login", pot: "b1", methods: ["totp"], factors: { pwd: 1 }, terms: TERMS } as const;
    const started = startChallenge({ ...subject, methods: ["totp"] }, FLOOR, NOW);
    expect(started).toEqual({
      ...subject,
      ...FLOOR,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      expiresAt: NOW + 300_000,
      attempts: 0,
      webauthn: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    });
  });

  it("has an id and a WebAuthn challenge of its own", () => {
    const started = Array.from({ length: 50 }, () => startChallenge(challenge(), FLOOR, NOW));
    expect(new Set(started.map(({ id }) => id)).size).toBe(50);
    expect(new Set(started.map(({ webauthn }) => webauthn)).size).toBe(50);
  });
});

describe("challenges that are dead", () => {
  const open = [
    challenge({ id: "a" }),
    challenge({ id: "expired", expiresAt: NOW }),
    challenge({ id: "exhausted", attempts: 5 }),
    challenge({ id: "b" }),
  ];

  it("are dropped, and counted as abandoned where a stranger left them", () => {
    const { live, abandoned } = dropDead(open, NOW);
    expect(ids(live)).toEqual(["a", "b"]);
    expect(abandoned).toHaveLength(2);
  });

  it("count for nobody where they belong to a recognised browser, a proven mailbox or a session", () => {
    const dead = [
      challenge({ pot: "b1", expiresAt: NOW }),
      challenge({ pot: "proven", attempts: 5 }),
      challenge({ purpose: "step_up", sessionId: "s1", expiresAt: NOW }),
      challenge({ purpose: "reauthenticate", sessionId: "s1", attempts: 5 }),
    ];
    expect(dropDead(dead, NOW)).toEqual({ live: [], abandoned: [] });
  });

  it("are none where all can still be answered", () => {
    const live = [challenge(), challenge({ attempts: 4, expiresAt: NOW + 1 })];
    expect(dropDead(live, NOW)).toEqual({ live, abandoned: [] });
  });
});

describe("a new challenge", () => {
  it("leaves three sign-ins of strangers open side by side", () => {
    const open = ["a", "b"].map((id) => challenge({ id }));
    expect(addChallenge(open, challenge({ id: "c" }))).toEqual({
      challenges: [...open, challenge({ id: "c" })],
      abandoned: [],
    });
  });

  it("pushes out the oldest of them when a fourth one opens, which is then abandoned", () => {
    const open = ["a", "b", "c"].map((id) => challenge({ id }));
    const { challenges, abandoned } = addChallenge(open, challenge({ id: "d" }));
    expect(ids(challenges)).toEqual(["b", "c", "d"]);
    expect(ids(abandoned)).toEqual(["a"]);
  });

  it.each([
    ["a recognised browser", { pot: "b1" }],
    ["those that have proven the mailbox", { pot: "proven" }],
    ["a session's step-up", { purpose: "step_up", sessionId: "s1" }],
    ["a session's re-proof", { purpose: "reauthenticate", sessionId: "s1" }],
  ] as const)("of %s is the only one of its kind, and the one before it is not held against anybody", (_, about) => {
    const open = [challenge({ id: "stranger" }), challenge({ ...about, id: "before" })];
    const { challenges, abandoned } = addChallenge(open, challenge({ ...about, id: "after" }));
    expect(ids(challenges)).toEqual(["stranger", "after"]);
    expect(abandoned).toEqual([]);
  });

  it("pushes out only its own kind, so that nobody with the password can end what the owner has begun", () => {
    const owners = [
      challenge({ id: "step-up", purpose: "step_up", sessionId: "s1" }),
      challenge({ id: "renewal", purpose: "reauthenticate", sessionId: "s1" }),
      challenge({ id: "laptop", pot: "b1" }),
      challenge({ id: "phone", pot: "b2" }),
      challenge({ id: "mailbox", pot: "proven" }),
    ];
    let open = owners;
    for (const id of ["a", "b", "c", "d", "e"]) open = addChallenge(open, challenge({ id })).challenges;
    expect(ids(open)).toEqual([...ids(owners), "c", "d", "e"]);
    // Nor does the owner, in one place, in another.
    open = addChallenge(open, challenge({ id: "laptop again", pot: "b1" })).challenges;
    expect(ids(open)).toEqual(["step-up", "renewal", "phone", "mailbox", "c", "d", "e", "laptop again"]);
  });

  it("of a session replaces the one of the same session and purpose alone", () => {
    const open = [
      challenge({ id: "login" }),
      challenge({ id: "mine", purpose: "step_up", sessionId: "s1" }),
      challenge({ id: "renewal", purpose: "reauthenticate", sessionId: "s1" }),
      challenge({ id: "other", purpose: "step_up", sessionId: "s2" }),
    ];
    const added = challenge({ id: "new", purpose: "step_up", sessionId: "s1" });
    expect(ids(addChallenge(open, added).challenges)).toEqual(["login", "renewal", "other", "new"]);
  });

  it("leaves what it was given untouched", () => {
    const open = ["a", "b", "c"].map((id) => challenge({ id }));
    addChallenge(open, challenge({ id: "d" }));
    expect(ids(open)).toEqual(["a", "b", "c"]);
  });

  // Every kind there is: strangers, mailboxes, two browsers, two sessions with two purposes each.
  const kinds: Kind[] = [
    { pot: "unrecognised" },
    { pot: "proven" },
    { pot: "b1" },
    { pot: "b2" },
    ...["s1", "s2"].flatMap((sessionId) =>
      (["step_up", "reauthenticate"] as const).map((purpose) => ({ purpose, sessionId })),
    ),
  ];
  const opened = fc.record({
    kind: fc.constantFrom(...kinds),
    attempts: fc.integer({ min: 0, max: 5 }),
    after: fc.integer({ min: 0, max: 200_000 }),
  });

  it("is always there itself, never makes too many of its kind, and every stranger's is open or abandoned", () => {
    fc.assert(
      fc.property(fc.array(opened, { maxLength: 60 }), (steps) => {
        let open: Challenge[] = [];
        let now = NOW;
        let [opened, abandoned] = [0, 0];
        for (const [index, { kind, attempts, after }] of steps.entries()) {
          now += after;
          const swept = dropDead(open, now);
          const added = challenge({ ...kind, id: String(index), attempts, expiresAt: now + 300_000 });
          const pushed = addChallenge(swept.live, added);
          const others = swept.live.filter((it) => kindOf(it) !== kindOf(added));
          open = pushed.challenges;
          opened += added.pot === "unrecognised" ? 1 : 0;
          abandoned += swept.abandoned.length + pushed.abandoned.length;
          expect(open.at(-1)).toBe(added);
          expect(open.filter((it) => kindOf(it) !== kindOf(added))).toEqual(others);
          for (const it of kinds) expect(countOf(open, it)).toBeLessThanOrEqual(it.pot === "unrecognised" ? 3 : 1);
          expect(countOf(open, { pot: "unrecognised" }) + abandoned).toBe(opened);
        }
      }),
    );
  });
});

type Kind = Pick<Partial<Challenge>, "pot" | "purpose" | "sessionId">;

function kindOf({ pot = "", purpose = "login", sessionId = "" }: Kind): string {
  return [pot, purpose, sessionId].join(" ");
}

function countOf(challenges: Challenge[], kind: Kind): number {
  return challenges.filter((it) => kindOf(it) === kindOf(kind)).length;
}

function ids(challenges: Challenge[]): string[] {
  return challenges.map(({ id }) => id);
}
