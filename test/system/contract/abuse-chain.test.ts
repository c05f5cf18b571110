import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Instance, startInstance } from "../../../scripts/instance.mjs";
import { cheapConfig } from "../../support/cheap-hashes.ts";
import { logIn, newPerson, signedIn, talkTo, verifiedPerson } from "../../support/client.ts";
import { minuteCron, npmRun, type Ran } from "../../support/operator-client.ts";
import { sharedInstance } from "../../support/shared-instance.ts";

/** Of what is done below: an account, a failure of nobody, four of its own, a sign-in. Nothing arrives after them. */
const EVENTS = 7;

let instance: Instance;
let database: DatabaseSync;
const verify = (...args: string[]): Promise<Ran> => npmRun(instance, "events", "verify", ...args);

interface Row {
  seq: number;
  kind: string;
  detail: string;
}
const rows = (): Row[] =>
  database.prepare("SELECT seq, kind, detail FROM events ORDER BY seq").all() as unknown as Row[];
const run = (sql: string, ...values: (string | number)[]) => database.prepare(sql).run(...values);

/** The second database, as a file. */
function openEvents(state: string): DatabaseSync {
  for (const file of readdirSync(state, { recursive: true, encoding: "utf8" })) {
    if (!/d1.*\.sqlite$/i.test(file)) continue;
    const opened = new DatabaseSync(join(state, file), { timeout: 10_000 });
    const found = opened.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'events'").get();
    if (found !== undefined) return opened;
    opened.close();
  }
  throw new Error("there is no database of events");
}

/** Drops what refuses changes of a table, does them, and puts it back. */
function behindTheTriggers(change: () => void): void {
  const triggers = database.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all() as {
    name: string;
    sql: string;
  }[];
  for (const { name } of triggers) database.exec(`DROP TRIGGER "${name}"`);
  change();
  for (const { sql } of triggers) database.exec(sql);
}

beforeAll(async () => {
  instance = await startInstance({ args: ["--config", cheapConfig()] });
  talkTo(instance.url);
  const person = await verifiedPerson();
  // One unknown address alone: more are counted, and told when their minute is over, amid the tests.
  await logIn(newPerson());
  for (let i = 0; i < 4; i++) await logIn({ ...person, password: "not the password" });
  await signedIn(person);
  database = openEvents(instance.state);
  for (let tries = 0; rows().length < EVENTS && tries < 100; tries++) await sleep(400);
  await minuteCron();
}, 120_000);
afterAll(async () => {
  talkTo(sharedInstance());
  database?.close();
  await instance.stop();
});

describe("the chain of events", { timeout: 120_000 }, () => {
  it("is whole, and the command says so", async () => {
    expect(rows()).toHaveLength(EVENTS);
    const { code, output } = await verify();
    expect(code, output).toBe(0);
    expect(output).toMatch(/\d/);
  });

  it("refuses every change by whoever writes to the database, and every removal", () => {
    const before = rows();
    const [first] = before;
    expect(() => run("UPDATE events SET detail = '{}' WHERE seq = ?", first?.seq ?? 0)).toThrow();
    expect(() => run("UPDATE events SET seq = seq + 1000")).toThrow();
    expect(() => run("DELETE FROM events WHERE seq = ?", first?.seq ?? 0)).toThrow();
    expect(() => run("DELETE FROM events")).toThrow();
    try {
      run("INSERT OR REPLACE INTO events SELECT seq, id, at, 'x', account, source, routine, '{}' FROM events");
    } catch {
      // Refused or passed over.
    }
    expect(rows()).toEqual(before);
  });

  it("names an event that was changed, and is whole again when it is as it was", async () => {
    const list = rows();
    const { seq, detail } = list[Math.floor(list.length / 2)] as Row;
    behindTheTriggers(() => run("UPDATE events SET detail = '{}' WHERE seq = ?", seq));
    const { code, output } = await verify();
    expect(code, output).toBe(1);
    expect(output).toContain(`event ${seq} `);
    behindTheTriggers(() => run("UPDATE events SET detail = ? WHERE seq = ?", detail, seq));
    const again = await verify();
    expect(again.code, again.output).toBe(0);
  });

  it("names the first of several, whatever was changed in it", async () => {
    const list = rows();
    const [first, second] = [list[2] as Row, list[5] as Row];
    behindTheTriggers(() => {
      run("UPDATE events SET kind = 'authn_login_success' WHERE seq = ?", second.seq);
      run("UPDATE events SET at = at + 1 WHERE seq = ?", first.seq);
    });
    const { code, output } = await verify();
    expect(code, output).toBe(1);
    expect(output).toContain(`event ${first.seq} `);
    expect(output).not.toContain(`event ${second.seq} `);
    behindTheTriggers(() => {
      run("UPDATE events SET kind = ? WHERE seq = ?", second.kind, second.seq);
      run("UPDATE events SET at = at - 1 WHERE seq = ?", first.seq);
    });
  });

  it("notices an event that is gone, one in the middle or the last", async () => {
    const list = rows();
    const take = (row: Row) => {
      const kept = database.prepare("SELECT * FROM events WHERE seq = ?").get(row.seq) as Record<string, string>;
      run("DELETE FROM events WHERE seq = ?", row.seq);
      return () => {
        const names = Object.keys(kept);
        run(`INSERT INTO events (${names.join(", ")}) VALUES (${names.map(() => "?")})`, ...Object.values(kept));
      };
    };
    for (const row of [list[4] as Row, list.at(-1) as Row]) {
      let putBack = () => {};
      behindTheTriggers(() => {
        putBack = take(row);
      });
      const { code, output } = await verify();
      expect(code, output).toBe(1);
      expect(output).toContain(`event ${row.seq} `);
      behindTheTriggers(putBack);
    }
    const again = await verify();
    expect(again.code, again.output).toBe(0);
  });
});
