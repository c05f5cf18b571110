import { describe, expect, it } from "vitest";
import {
  type Answer,
  expectProblem,
  type Json,
  logIn,
  newSource,
  type Person,
  post,
  send,
} from "../../support/client.ts";
import { expectNoTokens } from "../../support/enrolment.ts";
import {
  cancelDeletion,
  cancelRecovery,
  changeLink,
  confirmRecovery,
  deletionLink,
  expectDeadLink,
  freeAddress,
  freeze,
  freezeLink,
  moved,
  otherPassword,
  plainPerson,
  recoveryLink,
  reset,
  resetLink,
  undoEmail,
  verifyEmail,
  waitingForRecovery,
} from "../../support/life-client.ts";
import { atOnce } from "../../support/passkey-client.ts";
import { coveredPerson } from "../../support/recovery-client.ts";

/** A link in somebody's mailbox, and what it is for. */
interface Link {
  person: Person;
  token: string;
  path: string;
  use: (token: unknown) => Promise<Answer>;
  /** `status` of the answer to its first use. */
  status: string;
}

const link = (path: string, status: string, person: Person, token: string, use: Link["use"]): Link => ({
  path,
  status,
  person,
  token,
  use,
});

/** One link of each purpose, each of an account of its own. */
const links = Object.entries<() => Promise<Link>>({
  "a reset": async () => {
    const person = await plainPerson();
    return link("/auth/password/reset", "password_reset", person, await resetLink(person), (token) => reset(token));
  },
  "a change of email": async () => {
    const person = await plainPerson();
    const token = await changeLink(person.session.access, freeAddress());
    return link("/auth/email/verify", "verified", person, token, (one) => verifyEmail(one, person.password));
  },
  "an undo": async () => {
    const person = await plainPerson();
    const { undo } = await moved(person, person.session.access);
    return link("/auth/email/undo", "email_restored", person, undo, undoEmail);
  },
  "a freeze": async () => {
    const person = await plainPerson();
    return link("/auth/freeze", "frozen", person, await freezeLink(person, person.session.access), freeze);
  },
  "the start of a recovery": async () => {
    const person = await coveredPerson();
    const token = await recoveryLink(person);
    return link("/auth/recovery/confirm", "recovery_started", person, token, confirmRecovery);
  },
  "the end of a recovery": async () => {
    const person = await coveredPerson();
    const { cancel } = await waitingForRecovery(person);
    return link("/auth/recovery/cancel", "recovery_cancelled", person, cancel, cancelRecovery);
  },
  "taking a deletion back": async () => {
    const person = await plainPerson();
    const token = await deletionLink(person, person.session.access);
    return link("/auth/deletion/cancel", "deletion_cancelled", person, token, cancelDeletion);
  },
});

/** Every route that a link opens, with what it needs besides the token. */
const routes: [path: string, more: (person: Person) => Json][] = [
  ["/auth/password/reset", () => ({ new_password: otherPassword })],
  ["/auth/email/verify", ({ password }) => ({ password })],
  ["/auth/invitation/accept", ({ password }) => ({ password })],
  ["/auth/email/undo", () => ({})],
  ["/auth/freeze", () => ({})],
  ["/auth/recovery/confirm", () => ({})],
  ["/auth/recovery/cancel", () => ({})],
  ["/auth/recovery/finish", () => ({})],
  ["/auth/deletion/cancel", () => ({})],
];

const swapCase = (token: string) =>
  token.replace(/[a-z]/gi, (c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()));

/** A token that is almost right. */
function mangled(token: string): string[] {
  const middle = Math.floor(token.length / 2);
  const flipped = token[middle] === "A" ? "B" : "A";
  return [
    token.slice(0, -1),
    token.slice(1),
    `${token}A`,
    `${token}.`,
    `${token}=`,
    `${token} `,
    ` ${token}`,
    swapCase(token),
    token.slice(0, middle) + flipped + token.slice(middle + 1),
    "AAAA",
    "a.b.c",
  ];
}

/** What tells one dead link from another: nothing but the request id may differ. */
const said = ({ status, text, body }: Answer): string => `${status} ${text.replaceAll(String(body.request_id), "")}`;

describe.concurrent("the link of", () => {
  it.each(links)("%s is used up by nothing but its own use, and by one of twenty at once", async (_, make) => {
    const { person, token, path, use, status } = await make();
    for (const method of ["GET", "HEAD", "GET", "HEAD", "PUT", "DELETE"]) {
      const answer = await send(method, `${path}?token=${token}`);
      expect(answer.status, method).toBe(405);
      expect(answer.headers.get("allow")).toMatch(/\bPOST\b/);
    }
    for (const odd of [[token], { token }, null, 7, true]) expectProblem(await use(odd), 400, "invalid_request");
    const refusals = await Promise.all([
      ...mangled(token).map(use),
      ...routes.filter(([other]) => other !== path).map(([other, more]) => post(other, { token, ...more(person) })),
    ]);
    const malformed = refusals.filter(({ body }) => body.code === "invalid_request");
    for (const answer of refusals) if (!malformed.includes(answer)) expectDeadLink(answer);
    expect(malformed).toEqual([]);
    expect([...new Set(refusals.map(said))]).toHaveLength(1);
    const answers = await atOnce(20, () => use(token));
    const [used, ...more] = answers.filter((answer) => answer.body.status === status);
    expect(used, answers[0]?.text).toBeDefined();
    expect(more).toEqual([]);
    expectNoTokens(used as Answer);
    expect(used?.text).not.toContain("challenge_token");
    for (const late of [...answers.filter((answer) => answer !== used), await use(token)]) {
      expect(said(late)).toBe(said(refusals[0] as Answer));
    }
  });
});

describe.concurrent("a forged link", () => {
  it("costs the source at every route, like a wrong password", async () => {
    const person = await plainPerson();
    await Promise.all(
      routes.map(async ([path, more]) => {
        const source = newSource();
        for (let i = 0; i < 20; i++) {
          const answer = await post(path, { token: `forged.${i}.AAAA`, ...more(person) }, { source });
          expect([400, 429], `${path}: ${answer.text}`).toContain(answer.status);
        }
        const signIn = await logIn({ ...person, source });
        expect({ path, status: signIn.status }).toEqual({ path, status: 429 });
      }),
    );
    expect((await logIn(person)).body.status).toBe("authenticated");
  });
});
