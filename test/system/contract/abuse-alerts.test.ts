import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Instance } from "../../../scripts/instance.mjs";
import {
  type Json,
  logIn,
  mailsTo,
  newPerson,
  newSource,
  type Person,
  talkTo,
  verifiedPerson,
} from "../../support/client.ts";
import {
  adminGet,
  eventually,
  type Known,
  listed,
  minuteCron,
  operatedInstance,
  operatorToken,
} from "../../support/operator-client.ts";
import { sharedInstance } from "../../support/shared-instance.ts";
import { isSigned, type Receiver, webhookReceiver } from "../../support/webhook-receiver.ts";

const secret = randomBytes(32);
const operator = "watch@mail.example";
const sprayed = "Summer of twenty twenty-six";

let receiver: Receiver;
let instance: Instance;
let admin: Known;
beforeAll(async () => {
  receiver = await webhookReceiver();
  ({ instance, admin } = await operatedInstance({
    ALERT_WEBHOOK_URL: receiver.url,
    ALERT_WEBHOOK_SECRET: `whsec_${secret.toString("base64")}`,
    ALERT_MAIL: operator,
  }));
}, 120_000);
afterAll(async () => {
  talkTo(sharedInstance());
  await instance.stop();
  await receiver.close();
});

const alerts = async (): Promise<Json[]> => listed(await adminGet("/alerts", await operatorToken(admin)), "alerts");
const isSpraying = (alert: Json) => JSON.stringify(alert).includes("spraying");
const ofSpraying = () => receiver.deliveries.filter(({ body }) => body.includes("spraying"));

/** One password for each of these, from one source. */
async function spray(people: Person[], source: string): Promise<void> {
  for (const person of people) {
    const answer = await logIn({ ...person, password: sprayed, source });
    expect([401, 429], answer.text).toContain(answer.status);
  }
}

/** The alerts of spraying, once there are so many: events arrive by alarm, and detectors come with the cron. */
const sprayings = (count: number): Promise<Json[]> =>
  eventually(
    `alert number ${count}`,
    async () => {
      await minuteCron();
      const found = (await alerts()).filter(isSpraying);
      return found.length >= count ? found : undefined;
    },
    45,
  );

describe("spraying", { timeout: 240_000 }, () => {
  let people: Person[];
  const source = newSource();
  beforeAll(async () => {
    people = await Promise.all(Array.from({ length: 20 }, () => verifiedPerson()));
  });

  it("raises nothing for a morning of ordinary sign-ins and typing errors", async () => {
    for (const person of people.slice(0, 4)) {
      await logIn({ ...person, password: `${person.password}!` });
      expect((await logIn(person)).status).toBe(200);
    }
    await sleep(5_000);
    await minuteCron();
    expect(await alerts()).toEqual([]);
    expect(receiver.deliveries).toEqual([]);
  });

  it("of twenty accounts from one source is one alert, and one signed message", async () => {
    await spray(people, source);
    const found = await sprayings(1);
    expect(found).toHaveLength(1);
    await eventually("message", async () => ofSpraying()[0]);
    for (let round = 0; round < 3; round++) {
      await minuteCron();
      await sleep(500);
    }
    expect((await alerts()).filter(isSpraying)).toHaveLength(1);
    const [message, ...more] = ofSpraying();
    expect(more).toEqual([]);
    if (message === undefined) throw new Error("there is no message");
    expect(message.method).toBe("POST");
    expect(message.headers["content-type"]).toMatch(/^application\/json\b/);
    expect(message.headers["webhook-id"]).toMatch(/^[^\s.]+$/);
    expect(message.headers["webhook-timestamp"]).toMatch(/^\d{10}$/);
    expect(Math.abs(Number(message.headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(60);
    expect(isSigned(message, secret)).toBe(true);
    expect(isSigned({ ...message, body: `${message.body} ` }, secret)).toBe(false);
    expect(isSigned(message, randomBytes(32))).toBe(false);
  });

  it("is told without a secret, an address of a person or the whole address of a client", async () => {
    const told = JSON.stringify([receiver.deliveries, await alerts()]);
    for (const word of [sprayed, source, secret.toString("base64"), ...people.map(({ email }) => email)])
      expect(told).not.toContain(word);
  });

  it("is mailed to the operators once", async () => {
    const mails = (await mailsTo(operator)).filter(({ subject, text }) => /spraying/i.test(subject + text));
    expect(mails).toHaveLength(1);
    for (const word of [sprayed, source, ...people.map(({ email }) => email)])
      expect(`${mails[0]?.text}${mails[0]?.html}`).not.toContain(word);
  });

  it("that goes on is no second alert, and from another network it is another, told again until it is heard", async () => {
    await spray(
      people.slice(0, 5).map(({ password }) => newPerson({ password })),
      source,
    );
    const elsewhere = newSource();
    receiver.refuse(1);
    await spray(people, elsewhere);
    expect(await sprayings(2)).toHaveLength(2);
    // The first delivery was refused: it comes again under the same id, and is signed anew.
    const second = await eventually(
      "second try",
      async () => {
        await minuteCron();
        const ids = ofSpraying().map(({ headers }) => headers["webhook-id"]);
        const repeated = ids.find((id, i) => ids.indexOf(id) !== i);
        return repeated;
      },
      75,
    );
    const tries = ofSpraying().filter(({ headers }) => headers["webhook-id"] === second);
    expect(tries).toHaveLength(2);
    for (const one of tries) expect(isSigned(one, secret)).toBe(true);
    expect(tries[0]?.body).toBe(tries[1]?.body);
    expect((await alerts()).filter(isSpraying)).toHaveLength(2);
  });
});
