import { describe, expect, it } from "vitest";
import { Browser, cookieSet, DEVICE, TRUST } from "../../support/browser.ts";
import { expectProblem, get, post, text, verifiedPerson } from "../../support/client.ts";
import { recognisedBrowser } from "../../support/owner.ts";
import { abandonChallenges, challengedElsewhere, expectProofRequired } from "../../support/proof-mode.ts";
import { coveredPerson, spare } from "../../support/recovery-client.ts";

interface Listed {
  id: string;
  current: boolean;
}

async function browsersOf(access: string, browser = new Browser()): Promise<Listed[]> {
  const answer = await browser.send("GET", "/auth/browsers", undefined, { bearer: access });
  expect(answer.status, answer.text).toBe(200);
  return answer.body.browsers as Listed[];
}

const forget = (access: string, id: string, browser = new Browser()) =>
  browser.send("DELETE", `/auth/browsers/${id}`, undefined, { bearer: access });

describe("the browsers of an account", () => {
  it("are listed, the present one marked, and once only however often they sign in", async () => {
    const person = await coveredPerson();
    const [one, other] = [await recognisedBrowser(person, "Lynx/2.9"), await recognisedBrowser(person, "Links/2.3")];
    await one.answer(await one.challenged(person), await person.authenticator.next());
    const answer = await one.send("GET", "/auth/browsers", undefined, { bearer: person.session.access });
    expect(Object.keys(answer.body)).toEqual(["browsers"]);
    const listed = answer.body.browsers as Record<string, unknown>[];
    expect(listed.map((entry) => entry.user_agent).sort()).toEqual(["Links/2.3", "Lynx/2.9"]);
    for (const entry of listed) {
      expect(entry).toEqual({
        id: expect.stringMatching(/\S/),
        user_agent: expect.any(String),
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        last_used_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        trusted_until: null,
        current: entry.user_agent === "Lynx/2.9",
      });
    }
    for (const { cookies } of [one, other]) expect(answer.text).not.toContain(cookies.get(DEVICE));
    const elsewhere = await browsersOf(person.session.access);
    expect(elsewhere.map(({ current }) => current)).toEqual([false, false]);
  });

  it("can be forgotten one by one: a forgotten one is a stranger from then on", async () => {
    const person = await coveredPerson();
    const [lost, kept] = [await recognisedBrowser(person), await recognisedBrowser(person)];
    const { access } = person.session;
    const id = (await browsersOf(access, lost)).find(({ current }) => current)?.id ?? "";
    await abandonChallenges(person);
    expect((await lost.logIn(person)).body.status).toBe("challenge");
    const answer = await forget(access, id);
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: "" });
    expectProofRequired(await lost.logIn(person));
    expect((await kept.logIn(person)).body.status).toBe("challenge");
    expect((await browsersOf(access, lost)).map(({ current }) => current)).toEqual([false]);
    expectProblem(await forget(access, id), 404, "not_found");
  });

  it("are nobody else's: an id of another account is as unknown as one that does not exist", async () => {
    const [ada, eve] = [await coveredPerson(), await coveredPerson()];
    const adas = await recognisedBrowser(ada);
    const [entry] = await browsersOf(ada.session.access);
    for (const id of [entry?.id ?? "", "00000000-0000-4000-8000-000000000000", "nothing"]) {
      expectProblem(await forget(eve.session.access, id), 404, "not_found");
    }
    expect(await browsersOf(ada.session.access, adas)).toEqual([{ ...entry, current: true }]);
  });

  it("are forgotten with fresh proof of the highest level only; without factors the password is that", async () => {
    const person = await coveredPerson();
    const weak = new Browser();
    const recovered = await weak.recover(await weak.challenged(person), spare(person));
    const [entry] = await browsersOf(person.session.access, await recognisedBrowser(person));
    const refused = await forget(text(recovered, "access_token"), entry?.id ?? "");
    expectProblem(refused, 401, "insufficient_user_authentication");
    expect(refused.headers.get("www-authenticate")).toContain('acr_values="aal2"');
    expect((await forget(person.session.access, entry?.id ?? "")).status).toBe(204);
    const [plain, browser] = [await verifiedPerson(), new Browser()];
    const access = text(await browser.logIn(plain), "access_token");
    const [own] = await browsersOf(access, browser);
    expect((await forget(access, own?.id ?? "", browser)).status).toBe(204);
    expect(await browsersOf(access, browser)).toEqual([]);
  });

  it("are shown to nobody without a session", async () => {
    const browser = await recognisedBrowser(await coveredPerson());
    expectProblem(await browser.send("GET", "/auth/browsers"), 401, "invalid_token");
    expectProblem(await get("/auth/browsers", { bearer: browser.cookies.get(DEVICE) ?? "" }), 401, "invalid_token");
  });
});

describe("trusting a browser", () => {
  it("is off by default: the wish is accepted and does nothing", async () => {
    expect((await get("/auth/config")).body.trusted_browser_days).toBe(0);
    const [person, browser] = [await coveredPerson(), new Browser()];
    const challenge = await browser.challenged(person);
    const answer = await browser.answer(challenge, await person.authenticator.next(), { trust_browser: true });
    expect(answer.body.status, answer.text).toBe("authenticated");
    expect(cookieSet(answer, TRUST)).toBeUndefined();
    const listed = await browser.send("GET", "/auth/browsers", undefined, { bearer: text(answer, "access_token") });
    expect(listed.body.browsers).toEqual([expect.objectContaining({ trusted_until: null, current: true })]);
    browser.forgetSession();
    expect((await browser.logIn(person)).body.status).toBe("challenge");
  });

  it("takes yes and no, and nothing else", async () => {
    const person = await coveredPerson();
    const challenge = await challengedElsewhere(person);
    for (const wish of ["true", 1, null, 30]) {
      const body = { challenge_token: challenge, method: "totp", code: "123456", trust_browser: wish };
      expectProblem(await post("/auth/2fa/verify", body), 400, "invalid_request");
    }
    const answer = await new Browser().recover(challenge, spare(person), { trust_browser: false });
    expect(answer.body.status, answer.text).toBe("authenticated");
  });
});
