import { describe, expect, it } from "vitest";
import {
  type Answer,
  challenged,
  expectProblem,
  logIn,
  me,
  type Person,
  refreshed,
  type Session,
  signedIn,
  text,
} from "../../support/client.ts";
import {
  cancelDeletion,
  changeLink,
  changePassword,
  deleteAccount,
  expectPlain,
  freeAddress,
  freeze,
  freezeLink,
  linkTokens,
  mailsHaveLeft,
  moved,
  otherPasswords,
  plainPerson,
  reset,
  resetByMail,
  resetLink,
  undoEmail,
  verifyEmail,
  withPassword,
} from "../../support/life-client.ts";
import { creation, creationOptions, register, signInByPasskey, syncedPasskey } from "../../support/passkey-client.ts";
import { coveredPerson, recover, spare } from "../../support/recovery-client.ts";

type Plain = Person & { session: Session };
/** Makes everything ready for a change of somebody's account; the change itself is the function it gives. */
type Change = (person: Plain) => Promise<() => Promise<Answer>>;

const byReset: Change = async (person) => {
  const token = await resetLink(person);
  return () => reset(token, otherPasswords[1]);
};
const byMove: Change = async (person) => {
  const token = await changeLink(person.session.access, freeAddress());
  return () => verifyEmail(token, person.password);
};
const byChange: Change = async (person) => () => changePassword(person.session.access, person, otherPasswords[2]);
const byDeletion: Change = async (person) => () => deleteAccount(person.session.access);

const succeeded = ({ status }: Answer): boolean => status >= 200 && status < 300;

describe.concurrent("at the same moment", () => {
  it("of two changes of one account happens one, whichever they are", async () => {
    const changes = { byReset, byMove, byChange, byDeletion };
    const names = Object.keys(changes) as (keyof typeof changes)[];
    const pairs = names.flatMap((one, i) => names.slice(i + 1).map((other) => [one, other] as const));
    await Promise.all(
      pairs.map(async ([one, other]) => {
        const person = await plainPerson();
        const acts = [await changes[one](person), await changes[other](person)];
        const answers = await Promise.all(acts.map((act) => act()));
        const seen = answers.map(({ status, body }) => `${status} ${body.code ?? ""}`);
        expect({ one, other, seen, done: answers.filter(succeeded).length }).toMatchObject({ done: 1 });
        for (const answer of answers) {
          if (!succeeded(answer))
            expect(["invalid_link", "invalid_token", "sign_in_failed"]).toContain(answer.body.code);
        }
        // Whatever it was, the session of before is no session of the password of before.
        expectProblem(await refreshed(person.session.refresh), 401, "invalid_refresh_token");
        expectProblem(await logIn(person), 401, "sign_in_failed");
      }),
    );
  });

  it("a freeze and a reset end in one of the two, and a freeze wins over a change of password", async () => {
    const person = await plainPerson();
    const token = await freezeLink(person, person.session.access);
    const thief = { ...withPassword(person), session: await signedIn(withPassword(person)) };
    const [frozen, change] = await Promise.all([
      freeze(token),
      changePassword(thief.session.access, thief, otherPasswords[2]),
    ]);
    expectPlain(frozen, { status: "frozen" });
    for (const password of [thief.password, otherPasswords[2]]) {
      expectProblem(await logIn(withPassword(person, password)), 401, "sign_in_failed");
    }
    if (change.status === 200) expectProblem(await me(text(change, "access_token")), 401, "invalid_token");
    const other = await plainPerson();
    const [late, link] = [await freezeLink(other, other.session.access), await resetLink(other)];
    const answers = await Promise.all([freeze(late), reset(link, otherPasswords[3])]);
    expect(answers.filter(succeeded)).toHaveLength(1);
    const expected = answers[1].status === 200 ? 200 : 401;
    expect((await logIn(withPassword(other, otherPasswords[3]))).status).toBe(expected);
  });

  it("a sign-in, or the answer to a challenge, leaves no session behind that a freeze, an undo, a reset or a deletion has ended", async () => {
    const races: [string, (person: Plain) => Promise<[Person, () => Promise<Answer>]>][] = [
      [
        "freeze",
        async (person) => {
          const token = await freezeLink(person, person.session.access);
          return [withPassword(person), () => freeze(token)];
        },
      ],
      [
        "undo",
        async (person) => {
          const { there, undo } = await moved(person, person.session.access);
          return [there, () => undoEmail(undo)];
        },
      ],
      ["reset", async (person) => [person, await byReset(person)]],
      ["move", async (person) => [person, await byMove(person)]],
      ["deletion", async (person) => [person, await byDeletion(person)]],
    ];
    await Promise.all(
      races.map(async ([name, prepare]) => {
        const [person, act] = await prepare(await plainPerson());
        const [signIn, answer] = await Promise.all([logIn(person), act()]);
        expect(succeeded(answer), `${name}: ${answer.text}`).toBe(true);
        if (signIn.status !== 200) return expectProblem(signIn, 401, "sign_in_failed");
        expectProblem(await me(text(signIn, "access_token")), 401, "invalid_token");
        expectProblem(await refreshed(text(signIn, "refresh_token")), 401, "invalid_refresh_token");
      }),
    );
    const person = await coveredPerson();
    const challenge = await challenged(person);
    const acts = [recover(challenge, spare(person)), deleteAccount(person.session.access)] as const;
    const [signIn, deletion] = await Promise.all(acts);
    expect(deletion.status, deletion.text).toBe(202);
    if (signIn.status === 200) expectProblem(await me(text(signIn, "access_token")), 401, "invalid_token");
    else expectProblem(signIn, 401, "invalid_challenge");
  });

  it("what a thief does while the owner takes the address back does not last", async () => {
    const person = await plainPerson();
    const { there, undo } = await moved(person, person.session.access);
    const { access } = await signedIn(there);
    const passkey = syncedPasskey();
    const response = await passkey.register(creation(await creationOptions(access)));
    const [restored] = await Promise.all([undoEmail(undo), register(access, response), deleteAccount(access)]);
    expectPlain(restored, { status: "email_restored" });
    expect((await signInByPasskey(passkey)).status).toBe(401);
    await mailsHaveLeft();
    for (const token of await linkTokens(there.email, "cancel-deletion", 0)) {
      expectProblem(await cancelDeletion(token), 400, "invalid_link");
    }
    expect((await logIn(await resetByMail(person))).body.status).toBe("authenticated");
  });
});
