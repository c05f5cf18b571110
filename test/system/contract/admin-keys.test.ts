import { decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  expectProblem,
  type Json,
  me,
  signedIn,
  talkTo,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  adminGet,
  adminPost,
  eventually,
  eventWith,
  type Known,
  listed,
  minuteCron,
  operatorToken,
  talkToOperated,
} from "../../support/operator-client.ts";
import { signInByPasskey } from "../../support/passkey-client.ts";
import { publishedKeys } from "../../support/published.ts";
import { sharedInstance } from "../../support/shared-instance.ts";

let admin: Known;
beforeAll(async () => {
  ({ admin } = await talkToOperated());
}, 120_000);
afterAll(() => talkTo(sharedInstance()));

const keys = async (): Promise<{ answer: Answer; list: Json[] }> => {
  const answer = await adminGet("/keys", await operatorToken(admin));
  return { answer, list: listed(answer, "keys") };
};
const signing = (list: Json[], state: string) =>
  list.filter((key) => key.purpose === "signing" && key.state === state).map((key) => String(key.key ?? key.id));
const ask = async (body: unknown): Promise<Answer> => {
  const answer = await adminPost("/keys", await operatorToken(admin), body);
  if (answer.status === 202) await minuteCron();
  return answer;
};
const kidOf = (access: string) => decodeProtectedHeader(access).kid;
const publishedKids = async () => (await publishedKeys()).map(({ kid }) => String(kid)).sort();

describe("the keys of the service", { timeout: 90_000 }, () => {
  it("are listed with purpose and state, and none of them is shown", async () => {
    const { access } = await signedIn(await verifiedPerson());
    const { answer, list } = await keys();
    expect(signing(list, "active")).toEqual([kidOf(access)]);
    expect([...signing(list, "active"), ...signing(list, "next")].sort()).toEqual(await publishedKids());
    expect(list.map((key) => key.purpose)).toEqual(expect.arrayContaining(["signing", "refresh", "seal", "pepper"]));
    const members = new Set(list.flatMap((key) => Object.keys(key)));
    expect([...members].filter((member) => /^(d|k|x|y|jwk|secret|private|bytes)$/i.test(member))).toEqual([]);
    const long = answer.text.match(/[\w+/-]{40,}/g) ?? [];
    for (const word of long) expect(await publishedKids()).toContain(word);
  });

  it("are rotated when every cache knows the next one, and not before", async () => {
    const before = await publishedKids();
    const answer = await ask({ action: "rotate", purpose: "signing" });
    expect(answer.status, answer.text).toBeLessThan(300);
    expect(await publishedKids()).toEqual(before);
    const { list } = await keys();
    expect(list.find((key) => key.purpose === "signing" && key.state === "next")).toMatchObject({ asked_for: true });
    await eventWith(await operatorToken(admin), admin.id, "rotat");
  });

  it("are not rotated or dropped where that is never done, or where there is none of the name", async () => {
    for (const body of [
      { action: "rotate", purpose: "digest" },
      { action: "rotate", purpose: "nothing" },
      { action: "drop", key: "pepper.1" },
      { action: "drop", key: "nothing" },
      { action: "drop" },
      {},
    ]) {
      const answer = await ask(body);
      expect({ body, ok: [400, 403, 404, 409].includes(answer.status) }).toEqual({ body, ok: true });
      expectProblem(answer, answer.status, ["invalid_request", "forbidden", "not_found", "conflict"]);
    }
  });

  it("are dropped in an emergency: the key goes, the next one signs, and everybody is signed out", async () => {
    const before = (await keys()).list;
    const [lost = "", next = ""] = [signing(before, "active")[0], signing(before, "next")[0]];
    const session = await signedIn(await verifiedPerson());
    const answer = await ask({ action: "drop", key: lost });
    expect(answer.status, answer.text).toBeLessThan(300);
    await eventually("end of the key", async () => ((await publishedKids()).includes(lost) ? undefined : true));
    await eventually("end of the session", async () => ((await me(session.access)).status === 401 ? true : undefined));
    expect(kidOf(text(await signInByPasskey(admin.passkey), "access_token"))).toBe(next);
    await eventWith(await operatorToken(admin), admin.id, "drop");
  });
});
