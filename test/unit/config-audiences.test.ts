import { describe, expect, it } from "vitest";
import { digestOfSecret } from "../../src/keys/secret-digest.ts";
import { describeProof } from "../../src/tokens/proof.ts";
import { configOf, LOCAL, PUBLIC, problemsOf } from "./support/settings.ts";

const AUDIENCES = "orders, billing,https://stock.example/api";
const DIGEST = digestOfSecret("f1d0c6a7".repeat(8));
const OTHER = digestOfSecret("0e7b42d9".repeat(8));

const audiencesOf = (text: string) => [...configOf({ ...LOCAL, AUDIENCES: text }).audiences.values()];
const withClients = (...clients: unknown[]) => ({ ...LOCAL, AUDIENCES, CLIENTS: JSON.stringify(clients) });
const client = (members: object = {}) => ({ id: "orders", secret_digest: DIGEST, ...members });

describe("AUDIENCES", () => {
  it("are none where nothing is said", () => {
    expect(audiencesOf("")).toEqual([]);
    expect(configOf(LOCAL).audiences.size).toBe(0);
  });

  it("are names between commas", () => {
    const expected = [{ name: "orders" }, { name: "billing" }, { name: "https://stock.example/api" }];
    expect(audiencesOf(AUDIENCES)).toEqual(expected);
    expect(audiencesOf(" orders ,, billing ,\nhttps://stock.example/api,")).toEqual(expected);
    expect(configOf({ ...LOCAL, AUDIENCES }).audiences.get("billing")).toEqual({ name: "billing" });
  });

  it("or a JSON list of names and of names with what they demand", () => {
    const list = [
      "orders",
      { name: "billing", min_acr: "aal2", require_amr: ["otp", "mfa"] },
      { name: "stock", min_acr: "aal2-recovery" },
    ];
    expect(audiencesOf(`\n ${JSON.stringify(list, null, 2)}\n`)).toEqual([
      { name: "orders" },
      { name: "billing", minAcr: "aal2", requireAmr: ["otp", "mfa"] },
      { name: "stock", minAcr: "aal2-recovery" },
    ]);
  });

  it("may demand each method that a sign-in here can prove", () => {
    const proofs = [
      { pwd: 1, otp: 1 },
      { pwd: 1, swk: 1 },
      { hwk: 1, uv: 1 },
    ].map(describeProof);
    const require_amr = [...new Set(proofs.flatMap(({ amr }) => amr))];
    expect(require_amr.length).toBeGreaterThan(5);
    expect(audiencesOf(JSON.stringify([{ name: "orders", require_amr }]))).toHaveLength(1);
  });

  const NAME = "needs a name of 1 to 200 printable ASCII characters without spaces, quotes and commas";
  it.each<[string, string | unknown[], string]>([
    ["a space", "two words", `entry 1 ${NAME}`],
    ["a quote", 'or"ders', `entry 1 ${NAME}`],
    ["an apostrophe", "or'ders", `entry 1 ${NAME}`],
    ["a comma", ["or,ders"], `entry 1 ${NAME}`],
    ["another alphabet", "órders", `entry 1 ${NAME}`],
    ["no character", [""], `entry 1 ${NAME}`],
    ["201 characters", "x".repeat(201), `entry 1 ${NAME}`],
    ["a number", ["billing", { name: 7 }], `entry 2 ${NAME}`],
    ["the issuer", LOCAL.ISSUER, "entry 1 is the issuer, which may always be asked for; leave it out"],
    [
      "a reserved name",
      "orders,urn:Sallyport:challenge",
      'entry 2 starts with "urn:sallyport:", which is reserved; choose another name',
    ],
    [
      "a name twice",
      "orders,billing,orders",
      'entry 3 has the name "orders" of an entry before it; leave one of them out',
    ],
    [
      "an unknown level",
      [{ name: "orders", min_acr: "aal3" }],
      "entry 1 has an unknown min_acr; use one of aal1, aal2-recovery, aal2",
    ],
    [
      "an unknown method",
      [{ name: "orders", require_amr: ["otp", "sms"] }],
      "entry 1 has an unknown require_amr; use a list of pwd, otp, hwk, swk, user, pop, mfa",
    ],
    [
      "a method that is no list",
      [{ name: "orders", require_amr: "otp" }],
      "entry 1 has an unknown require_amr; use a list of pwd, otp, hwk, swk, user, pop, mfa",
    ],
    [
      "an unknown member",
      [{ name: "orders", minAcr: "aal2" }],
      "entry 1 has an unknown member; known are name, min_acr, require_amr",
    ],
    ["no name", [null], "entry 1 must be an object with members out of name, min_acr, require_amr"],
    ["51 names", Array.from({ length: 51 }, (_, index) => `s${index}`), "must have at most 50 entries"],
  ])("may not be %s", (_, value, sentence) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    expect(problemsOf({ ...LOCAL, AUDIENCES: text })).toEqual([`AUDIENCES ${sentence}`]);
  });

  it("that are broken JSON say how it is written", () => {
    const example = 'must be a JSON list, such as ["orders", {"name": "billing", "min_acr": "aal2"}]';
    expect(problemsOf({ ...LOCAL, AUDIENCES: "[orders]" })).toEqual([`AUDIENCES ${example}`]);
    expect(problemsOf({ ...LOCAL, AUDIENCES: '{"name":"orders"}' })).toEqual([`AUDIENCES ${example}`]);
    const twice = '[{"name":"orders","min_acr":"aal2","min_acr":"aal1"}]';
    expect(problemsOf({ ...LOCAL, AUDIENCES: twice })).toEqual([
      `AUDIENCES ${example}; it has two members with one name`,
    ]);
  });

  it("have as many members and characters as the platform has room for", () => {
    const full = Array.from({ length: 50 }, (_, index) => ({
      name: `service-${index}`,
      min_acr: "aal2",
      require_amr: [],
    }));
    expect(audiencesOf(JSON.stringify(full))).toHaveLength(50);
    const expected = ["AUDIENCES must have at most 5000 characters and no control characters but line breaks"];
    for (const text of [`orders${" ".repeat(5_000)}`, "orders\u0000", "orders\u001b[31m"]) {
      expect(problemsOf({ ...LOCAL, AUDIENCES: text })).toEqual(expected);
    }
    expect(problemsOf({ ...LOCAL, AUDIENCES: ["orders"] })).toEqual(["AUDIENCES must be text"]);
  });
});

describe("CLIENTS", () => {
  it("are none where nothing is said", () => {
    expect(configOf(LOCAL).clients.size).toBe(0);
    expect(configOf({ ...LOCAL, CLIENTS: "[]" }).clients.size).toBe(0);
  });

  it("receive the tokens of the audience of their name, or of another one", () => {
    const { clients } = configOf(
      withClients(client({ exchange: ["billing"] }), {
        id: "Night.Batch_1",
        secret_digest: OTHER,
        audience: "billing",
        exchange: [],
        forwards_address: false,
      }),
    );
    expect([...clients.values()]).toEqual([
      {
        id: "orders",
        secretDigest: DIGEST,
        audience: "orders",
        exchange: new Set(["billing"]),
        forwardsAddress: false,
      },
      { id: "Night.Batch_1", secretDigest: OTHER, audience: "billing", exchange: new Set(), forwardsAddress: false },
    ]);
  });

  it("forward addresses where that is said of them", () => {
    const { clients } = configOf(withClients(client({ forwards_address: true })));
    expect(clients.get("orders")?.forwardsAddress).toBe(true);
  });

  const DIGEST_RULE = "needs a secret_digest: the SHA-256 of the client's secret as 64 lower-case hex digits";
  const WORD = "has the secret_digest of a well-known word; draw a random secret";
  const ID = "needs an id of 1 to 64 letters, digits, dots, hyphens and underscores";
  const AUDIENCE = "needs an audience out of AUDIENCES; without the member audience it is the id";
  const EXCHANGE = "may list in exchange only names out of AUDIENCES, as a list of texts";
  it.each<[string, object, string]>([
    ["no digest", { secret_digest: undefined }, DIGEST_RULE],
    ["a digest in capitals", { secret_digest: DIGEST.toUpperCase() }, DIGEST_RULE],
    ["a short digest", { secret_digest: DIGEST.slice(1) }, DIGEST_RULE],
    ["a secret in its place", { secret_digest: "correct horse battery staple" }, DIGEST_RULE],
    ["the digest of nothing", { secret_digest: digestOfSecret("") }, WORD],
    ["the digest of a line break", { secret_digest: digestOfSecret("\n") }, WORD],
    ["the digest of a word", { secret_digest: digestOfSecret("secret") }, WORD],
    ["the digest of a word and a line break", { secret_digest: digestOfSecret("changeme\n") }, WORD],
    ["the digest of its id", { secret_digest: digestOfSecret("orders") }, WORD],
    ["a space in its id", { id: "or ders", audience: "orders" }, ID],
    ["a colon in its id", { id: "or:ders", audience: "orders" }, ID],
    ["an id of 65 characters", { id: "x".repeat(65), audience: "orders" }, ID],
    ["no id", { id: undefined, audience: "orders" }, ID],
    [
      "a reserved id",
      { id: "first-party", audience: "orders" },
      'has the id "first-party", which is reserved; choose another one',
    ],
    ["an audience that is not listed", { audience: "stock" }, AUDIENCE],
    ["the issuer as its audience", { audience: LOCAL.ISSUER }, AUDIENCE],
    ["an id that is no audience", { id: "batch" }, AUDIENCE],
    ["an exchange that is not listed", { exchange: ["billing", "stock"] }, EXCHANGE],
    ["an exchange for the issuer", { exchange: [LOCAL.ISSUER] }, EXCHANGE],
    ["an exchange that is no list", { exchange: "billing" }, EXCHANGE],
    ["a word for a yes", { forwards_address: "yes" }, "needs true or false as forwards_address"],
    ["nothing for a yes", { forwards_address: null }, "needs true or false as forwards_address"],
    [
      "a member of another name",
      { secret: "hidden" },
      "has an unknown member; known are id, secret_digest, audience, exchange, forwards_address",
    ],
  ])("may not have %s", (_, members, sentence) => {
    const problems = problemsOf(withClients(client({ id: "billing", secret_digest: OTHER }), client(members)));
    expect(problems).toEqual([`CLIENTS entry 2 ${sentence}`]);
    expect(problems.join()).not.toMatch(/hidden|battery/);
  });

  it("have ids and secrets of their own", () => {
    const again = client({ secret_digest: OTHER });
    expect(problemsOf(withClients(client(), again))).toEqual([
      'CLIENTS entry 2 has the id "orders" of an entry before it; give it one of its own',
    ]);
    expect(problemsOf(withClients(client(), client({ id: "billing" })))).toEqual([
      "CLIENTS entry 2 has the secret_digest of an entry before it; give each client a secret of its own",
    ]);
  });

  it("that are no list say how it is written", () => {
    const example = '[{"id": "orders", "secret_digest": "<64 hex digits>", "exchange": ["billing"]}]';
    for (const text of ["orders", "{}", " ", "[{]"]) {
      expect(problemsOf({ ...LOCAL, AUDIENCES, CLIENTS: text })).toEqual([
        `CLIENTS must be a JSON list, such as ${example}`,
      ]);
    }
  });

  it("are for audiences that there are, whatever the issuer", () => {
    expect(problemsOf({ ...PUBLIC, CLIENTS: JSON.stringify([client()]) })).toEqual([`CLIENTS entry 1 ${AUDIENCE}`]);
  });
});
