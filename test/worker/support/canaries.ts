import { listDurableObjectIds, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Secret } from "otpauth";
import { vi } from "vitest";
import { app } from "../../../src/app.ts";

/** Members of requests and answers that nobody but their two ends may ever read. */
const SECRET_MEMBERS = new Set([
  ...["password", "current_password", "new_password", "code", "secret", "token", "recovery_codes", "signature"],
  ...["access_token", "refresh_token", "challenge_token", "enrolment_token"],
]);
/** Shorter ones are guessable, and would be found by chance; codes are looked for by themselves. */
const LONG = 12;

/** What was secret in the requests of a test, and where everything is that they have left. */
export class Canaries {
  /** Each secret, and what it was. */
  readonly secrets = new Map<string, string>();
  readonly codes = new Set<string>();
  readonly lines: string[] = [];

  /** Listens to every request and answer, and to the console. */
  static listen(): Canaries {
    const canaries = new Canaries();
    const fetch = app.fetch.bind(app);
    vi.spyOn(app, "fetch").mockImplementation(async (request, ...rest) => {
      const asked = await request.clone().text();
      const response = await fetch(request, ...rest);
      canaries.#read(asked, request.headers, "Authorization", "Cookie");
      canaries.#read(await response.clone().text(), response.headers, "Set-Cookie");
      return response;
    });
    for (const method of ["log", "info", "warn", "error", "debug"] as const) {
      vi.spyOn(console, method).mockImplementation((...values: unknown[]) => {
        canaries.lines.push(values.map(String).join(" "));
      });
    }
    return canaries;
  }

  /** Adds a secret that came another way. */
  add(what: string, secret: string): void {
    if (secret.length >= LONG) this.secrets.set(secret, what);
  }

  #read(body: string, headers: Headers, ...names: string[]): void {
    for (const name of names) {
      for (const part of (headers.get(name) ?? "").split(/[\s;,=]+/)) if (part.length > 30) this.add(name, part);
    }
    if (body.startsWith("{")) this.#gather(JSON.parse(body));
  }

  #gather(value: unknown, name = ""): void {
    if (typeof value === "object" && value !== null) {
      for (const [member, inner] of Object.entries(value)) this.#gather(inner, Array.isArray(value) ? name : member);
    } else if (typeof value === "string" && SECRET_MEMBERS.has(name)) {
      if (/^\d{6}$/.test(value)) this.codes.add(value);
      this.add(name, value);
      // Of a token every part but what is the same in each; of a code what is typed without its groups.
      for (const part of value.split(".").slice(1)) this.add(`${name}, a part of it`, part);
      if (name === "recovery_codes") this.add("recovery code", value.replaceAll("-", ""));
    }
  }
}

/** Every text in which a secret could stand: as it is, or in hexadecimal or base64 with whatever around it. */
export function spellings(secret: string, what: string): string[] {
  const bytes = [Buffer.from(secret)];
  if (what === "secret") bytes.push(Buffer.from(Secret.fromBase32(secret).bytes));
  const encoded = bytes.flatMap((plain) => [
    plain.toString("hex"),
    ...[0, 1, 2].flatMap((offset) => {
      const shifted = Buffer.concat([Buffer.alloc(offset), plain]).toString("base64url");
      // Without the characters that share bits with what stands around.
      const inside = shifted.slice(offset === 0 ? 0 : offset + 1, -2);
      return [inside, inside.replaceAll("-", "+").replaceAll("_", "/")];
    }),
  ]);
  return [...new Set([secret, ...encoded])];
}

/** Seen as the objects that both kinds are. */
const OBJECTS = { accounts: env.ACCOUNTS, gates: env.GATES } as unknown as Record<string, typeof env.ACCOUNTS>;

/** Everything that is stored anywhere, by place. */
export async function everythingStored(): Promise<Record<string, string>> {
  const places: Record<string, string> = {};
  for (const [name, db] of Object.entries({ DB: env.DB, EVENTS: env.EVENTS })) places[name] = await dump(db);
  for (const [name, namespace] of Object.entries(OBJECTS)) {
    const objects: string[] = [];
    for (const id of await listDurableObjectIds(namespace)) {
      const stub = namespace.get(id);
      objects.push(await runInDurableObject(stub, (_, { storage }) => dumpOf(storage.sql)));
    }
    places[name] = objects.join("\n");
  }
  return places;
}

/** Has every object of a test ship its events. */
export async function shipEverything(): Promise<void> {
  for (const namespace of Object.values(OBJECTS)) {
    for (const id of await listDurableObjectIds(namespace)) await runDurableObjectAlarm(namespace.get(id));
  }
}

const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'";

async function dump(db: D1Database): Promise<string> {
  const { results } = await db.prepare(TABLES).all<{ name: string }>();
  const tables = await Promise.all(results.map(({ name }) => db.prepare(`SELECT * FROM ${name}`).all()));
  return tables.flatMap((table) => table.results.map(readable)).join("\n");
}

function dumpOf(sql: SqlStorage): string {
  const names = sql.exec<{ name: string }>(TABLES).toArray();
  return names.flatMap(({ name }) => sql.exec(`SELECT * FROM ${name}`).toArray().map(readable)).join("\n");
}

/** A row in plain text: JSON inside of JSON unfolded, bytes in hexadecimal. */
function readable(row: Record<string, unknown>): string {
  return Object.values(row)
    .map((value) => {
      if (Array.isArray(value)) return Buffer.from(value as number[]).toString("hex");
      return value instanceof ArrayBuffer ? Buffer.from(value).toString("hex") : String(value).replaceAll("\\", "");
    })
    .join(" ");
}
