import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, expect, it } from "vitest";

const migration = (name: string) => readFileSync(`migrations/${name}.sql`, "utf8");
const INSERT = `INSERT INTO operations (id, kind, payload, requested_by, requested_at, state, approved_by, attempts)
  VALUES (?, ?, '{}', 'ada', 1, ?, ?, 2)`;

let db: DatabaseSync;
let before: unknown[];
const rows = () => db.prepare("SELECT * FROM operations ORDER BY seq").all();

beforeEach(() => {
  db = new DatabaseSync(":memory:");
  db.exec(migration("0005_create_operations"));
  db.prepare(INSERT).run("a", "invite", "done", null);
  db.prepare(INSERT).run("b", "reset_factors", "waiting", "grace");
  db.exec("UPDATE operations SET seq = 7, begun_at = 3, finished_at = 4, result = '{}' WHERE id = 'b'");
  before = rows();
  db.exec(migration("0006_recreate_operations"));
});

it("keeps every row as it was, and goes on counting", () => {
  expect(rows()).toEqual(before);
  db.prepare(INSERT).run("c", "invite", "waiting", null);
  expect(rows().at(-1)).toMatchObject({ id: "c", seq: 8 });
});

it("takes operations that no version of the table knew", () => {
  db.prepare(INSERT).run("c", "rotate_key", "waiting", null);
  expect(rows()).toHaveLength(3);
});

it("still refuses what it refused: an id twice, an unknown state, a name that approves its own request", () => {
  expect(() => db.prepare(INSERT).run("a", "invite", "waiting", null)).toThrow("UNIQUE");
  expect(() => db.prepare(INSERT).run("c", "invite", "approved", null)).toThrow("CHECK");
  expect(() => db.prepare(INSERT).run("c", "reset_factors", "waiting", "ada")).toThrow("CHECK");
});

it("finds what waits by its index", () => {
  const plan = db.prepare("EXPLAIN QUERY PLAN SELECT seq FROM operations WHERE state = 'waiting' ORDER BY seq").all();
  expect(JSON.stringify(plan)).toContain("operations_waiting");
});
