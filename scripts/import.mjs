// `npm run import -- users.ndjson`: enciphers the lines in batches, has each imported, and says what came of every line.
// What was sent is noted beside the file, so that an interrupted import goes on where it was.
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Stop } from "./operations.mjs";

/** One operation: what the Worker imports within seconds, and a statement below D1's 100 KB once it is enciphered. */
const BATCH_LINES = 200;
const BATCH_BYTES = 40 * 1024;
/** Longer than any user. */
const LINE_BYTES = 16 * 1024;
/** As many as the cron executes at a time. */
const BATCHES_IN_FLIGHT = 5;

/** Every line that is not empty, numbered from 1: a JSON object, or why it is none. */
async function* linesOf(file) {
  const lines = createInterface({ input: createReadStream(file, "utf8"), crlfDelay: Number.POSITIVE_INFINITY });
  let line = 0;
  for await (const text of lines) {
    line += 1;
    if (text.trim() === "") continue;
    const bytes = Buffer.byteLength(text);
    if (bytes > LINE_BYTES) yield { line, bytes, reason: `is longer than ${LINE_BYTES} bytes` };
    else yield { line, bytes, ...parsed(text) };
  }
}

function parsed(text) {
  try {
    return { user: JSON.parse(text.replace(/^\uFEFF/, "")) };
  } catch {
    return { reason: "is not JSON" };
  }
}

/** The file in batches, cut at the same lines each time. */
async function* batchesOf(file) {
  let [batch, bytes] = [[], 0];
  for await (const line of linesOf(file)) {
    if (batch.length === BATCH_LINES || (batch.length > 0 && bytes + line.bytes > BATCH_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(line);
    bytes += line.bytes;
  }
  if (batch.length > 0) yield batch;
}

async function digestOf(file) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}

/** The note beside the file: which operation got the lines from where. It says nothing about anybody. */
class Progress {
  #file;
  constructor(file, digest, options) {
    this.#file = `${file}.progress.json`;
    const terms = { digest, emailsVerified: options.emailsVerified, remote: options.remote };
    const kept = existsSync(this.#file) ? JSON.parse(readFileSync(this.#file, "utf8")) : undefined;
    const isSame = kept && JSON.stringify(kept.terms) === JSON.stringify(terms);
    if (kept && !isSame) {
      throw new Stop(
        `${this.#file} is of an import of another file or with other options that did not end.\n` +
          "Finish that one, or delete the note to begin anew: whoever is imported already is not touched again.",
      );
    }
    this.isResumed = kept !== undefined;
    this.state = kept ?? { terms, batches: {} };
  }

  /** The operation of the batch that begins at this line. Noted before it is sent, so that it is never sent as another. */
  idOf(line) {
    const known = this.state.batches[line];
    if (known) return known;
    const id = randomUUID();
    this.state.batches[line] = id;
    this.#save();
    return id;
  }

  forget(ids) {
    const kept = Object.entries(this.state.batches).filter(([, id]) => !ids.includes(id));
    this.state.batches = Object.fromEntries(kept);
    this.#save();
  }

  #save() {
    writeFileSync(`${this.#file}.unfinished`, JSON.stringify(this.state), { mode: 0o600 });
    renameSync(`${this.#file}.unfinished`, this.#file);
  }

  end() {
    rmSync(this.#file, { force: true });
  }
}

/** What enciphers for this import alone: asked for at the first batch that has to be sent. */
function encipherer(operations, by) {
  let made;
  const make = async () => {
    const { CompactEncrypt, importJWK } = await import("jose");
    const id = await operations.insert("import_key", {}, by);
    const row = (await operations.settle([id])).get(id);
    if (row?.state !== "done")
      throw new Stop("The service has made no key for the import yet. Run the same command again.");
    const key = await importJWK(JSON.parse(row.result).public_key, "ECDH-ES");
    return { id, encipher: (text) => new CompactEncrypt(Buffer.from(text)).setProtectedHeader(HEADER).encrypt(key) };
  };
  return {
    async payloadOf(batch) {
      made ??= await make();
      return { key: made.id, jwe: await made.encipher(JSON.stringify(batch)) };
    },
    /** Whatever was enciphered with it can be read by nobody from now on. */
    async drop() {
      if (made) await operations.query(`UPDATE operations SET payload = '' WHERE id = '${made.id}'`);
    },
  };
}
const HEADER = { alg: "ECDH-ES", enc: "A256GCM" };

/** A line that is written over on a terminal; elsewhere one line for each tenth. */
function progressPrinter(total) {
  let tenth = 0;
  return (done) => {
    const text = `${done.toLocaleString("en")} of ${total.toLocaleString("en")} lines`;
    if (process.stdout.isTTY) process.stdout.write(`\r${text}${done === total ? "\n" : ""}`);
    else if (Math.floor((done / total) * 10) > tenth) {
      tenth = Math.floor((done / total) * 10);
      console.log(text);
    }
  };
}

/** Sends what has not been sent and waits for it, a few batches at a time. */
async function sendAll(operations, by, file, progress, options) {
  let total = 0;
  for await (const _ of linesOf(file)) total += 1;
  const print = progressPrinter(total);
  const cipher = encipherer(operations, by);
  const sent = progress.isResumed ? await operations.read(Object.values(progress.state.batches)) : new Map();
  const rows = new Map();
  const unread = [];
  let [flight, done] = [new Map(), 0];
  const land = async () => {
    const landed = flight.size > 0 ? await operations.settle([...flight.keys()]) : [];
    for (const [id, row] of landed) rows.set(id, row);
    // A batch whose row is gone has come to nothing that anybody knows of: it is sent again.
    for (const id of flight.keys()) if (!rows.has(id)) rows.set(id, { state: "lapsed", result: null });
    for (const lines of flight.values()) done += lines;
    print(done);
    flight = new Map();
  };
  for await (const batch of batchesOf(file)) {
    const id = progress.idOf(batch[0].line);
    unread.push(...batch.filter(({ reason }) => reason).map(({ line, reason }) => ({ line, reason })));
    const users = batch.filter(({ reason }) => !reason).map(({ line, user }) => ({ line, user }));
    const before = sent.get(id);
    if (before && before.state !== "waiting") {
      rows.set(id, before);
      done += batch.length;
      continue;
    }
    if (!before) {
      const payload = await cipher.payloadOf({ emails_verified: options.emailsVerified, users });
      await operations.insert("import_users", payload, by, id);
    }
    flight.set(id, batch.length);
    if (flight.size === BATCHES_IN_FLIGHT) await land();
  }
  await land();
  // What still waits has to be read with it; a day later it is forgotten anyway.
  if (![...rows.values()].some(({ state }) => state === "waiting")) await cipher.drop();
  return { rows, unread };
}

/** What came of all batches together, and which of them have to be sent again. */
function summed({ rows, unread }) {
  const sum = { imported: 0, present: 0, resetNeeded: [], refused: [...unread], waiting: [], broken: [] };
  for (const [id, { state, result }] of rows) {
    const said = JSON.parse(result ?? "{}");
    if (state === "waiting") sum.waiting.push(id);
    else if (said.imported === undefined) sum.broken.push(id);
    else {
      sum.imported += said.imported;
      sum.present += said.present;
      sum.resetNeeded.push(...said.reset_needed);
      sum.refused.push(...said.refused);
    }
  }
  return sum;
}

/** Writes lines with their reasons and addresses; nothing else of them. Removes what an earlier import has written. */
async function writeNotes(file, kind, notes) {
  const name = `${file}.${kind}.ndjson`;
  rmSync(name, { force: true });
  if (notes.length === 0) return;
  const reasons = new Map(notes.map(({ line, reason }) => [line, reason]));
  const written = [];
  for await (const { line, user } of linesOf(file)) {
    if (!reasons.has(line)) continue;
    const email = typeof user?.email === "string" ? user.email.slice(0, 254) : undefined;
    written.push(JSON.stringify({ line, email, reason: reasons.get(line) }));
  }
  writeFileSync(name, `${written.join("\n")}\n`, { mode: 0o600 });
}

function printSummary(file, { imported, present, resetNeeded, refused }) {
  const line = (count, text) => console.log(`${count.toLocaleString("en").padStart(9)}  ${text}`);
  line(imported, "imported");
  if (resetNeeded.length > 0) line(resetNeeded.length, `of them need a new password: ${file}.reset-needed.ndjson`);
  line(present, "had an account already and were left as they are");
  line(refused.length, refused.length > 0 ? `refused: ${file}.refused.ndjson says why` : "refused");
}

/** Imports a file of users. */
export async function importFile(operations, by, file, options) {
  if (!existsSync(file)) throw new Stop(`There is no file ${file}.`);
  const progress = new Progress(file, await digestOf(file), { ...options, remote: operations.isRemote });
  if (progress.isResumed) console.log("Going on where the last import of this file was interrupted …");
  const sum = summed(await sendAll(operations, by, file, progress, options));
  if (sum.waiting.length > 0 || sum.broken.length > 0) {
    progress.forget(sum.broken);
    throw new Stop("Not everything has been imported yet. Run the same command again: it goes on where it is.");
  }
  await writeNotes(file, "refused", sum.refused);
  await writeNotes(file, "reset-needed", sum.resetNeeded);
  progress.end();
  printSummary(file, sum);
}
