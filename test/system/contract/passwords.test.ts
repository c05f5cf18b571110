import { describe, expect, it } from "vitest";
import { expectProblem, logIn, newPerson, post, registered, verifiedPerson } from "../../support/client.ts";

const register = (password: unknown, email = newPerson().email) => post("/auth/register", { email, password });
const salt = () => newPerson().email.slice(4, 20);

describe.concurrent("the password policy", () => {
  it("counts code points: twelve are enough, eleven are too short", async () => {
    for (const eleven of ["k7#mQ2!vX9z", "😀🚪🗝🛡🌊🌙🧭🪁🎐🧵🍁", "вход в дом!"]) {
      const answer = await register(eleven);
      expectProblem(answer, 422, "weak_password");
      expect(answer.body.reason).toBe("too_short");
      expect((await register(`${eleven}é`)).status).toBe(202);
    }
  });

  it("counts a joined family of emoji by its code points, not as one sign", async () => {
    expect((await register("👩‍👩‍👧‍👦👨‍👩‍👧‍👦")).status).toBe(202);
    expect((await register("👩‍👩‍👧‍👦")).body.reason).toBe("too_short");
  });

  it("counts after NFKC: twelve that compose to six are too short", async () => {
    const answer = await register("e\u0301a\u0301o\u0301u\u0301i\u0301y\u0301");
    expectProblem(answer, 422, "weak_password");
    expect(answer.body.reason).toBe("too_short");
  });

  it("takes 128 code points and refuses 129", async () => {
    const long = salt().repeat(8);
    expect((await register(long.slice(0, 128))).status).toBe(202);
    expect((await register("🚪".repeat(128))).status).toBe(202);
    for (const tooLong of [`${long.slice(0, 128)}x`, "🚪".repeat(129), "x".repeat(8_000)]) {
      const answer = await register(tooLong);
      expectProblem(answer, 422, "weak_password");
      expect(answer.body.reason).toBe("too_long");
    }
  });

  it("has no rules of composition: spaces and letters will do", async () => {
    expect((await register("a quiet door nobody guards")).status).toBe(202);
    expect((await register("   two   doors   ")).status).toBe(202);
  });

  it("refuses common passwords of the required length", async () => {
    for (const common of ["1qaz2wsx3edc", "qwerty123456", "123456789987654321"]) {
      const answer = await register(common);
      expectProblem(answer, 422, "weak_password");
      expect(answer.body.reason).toBe("too_common");
    }
  });

  it("refuses the address as its own password", async () => {
    const { email } = newPerson();
    const answer = await register(email, email);
    expectProblem(answer, 422, "weak_password");
    expect(answer.body.reason).toBe("contains_context");
  });

  it("refuses ill-formed UTF-16, at registration with the reason", async () => {
    // Two sentences of the contract fit: weak_password with reason ill_formed, and invalid_request for a body that breaks the schema.
    const { email } = newPerson();
    const answer = await post("/auth/register", `{"email":"${email}","password":"lone surrogate \\ud83d here"}`);
    expectProblem(answer, answer.status === 422 ? 422 : 400, ["weak_password", "invalid_request"]);
    if (answer.status === 422) expect(answer.body.reason).toBe("ill_formed");
  });

  it("says the same of a known address as of a new one", async () => {
    const known = await verifiedPerson();
    expect((await register("short", known.email)).body.reason).toBe("too_short");
  });
});

describe.concurrent("the whole password counts", () => {
  const scripts = {
    Latin: "a quiet door nobody guards ",
    Cyrillic: "кораблик в тумане ",
    CJK: "静かな扉を二つ開けて進むのだ",
    emoji: "🚪🗝🛡🌊🌙🧭🪁🎐🧵🍁🪷🫧",
  };

  it.each(Object.entries(scripts))(
    "%s: a changed last character fails at both doors of the password",
    async (script, start) => {
      const [last, other] =
        script === "emoji"
          ? ["🐚", "🐌"]
          : script === "CJK"
            ? ["一", "二"]
            : script === "Cyrillic"
              ? ["я", "ю"]
              : ["y", "z"];
      const person = newPerson({ password: start + last });
      const token = await registered(person);
      expectProblem(await post("/auth/email/verify", { token, password: start + other }), 400, "invalid_link");
      expect((await post("/auth/email/verify", { token, password: person.password })).status).toBe(200);
      expectProblem(await logIn({ ...person, password: start + other }), 401, "sign_in_failed");
      expect((await logIn(person)).status).toBe(200);
    },
  );

  it("beyond 72 bytes and beyond a NUL", async () => {
    const start = `${"72 bytes are where bcrypt stops ".repeat(3)}\u0000`;
    const person = await verifiedPerson({ password: `${start}x` });
    expectProblem(await logIn({ ...person, password: `${start}y` }), 401, "sign_in_failed");
    expectProblem(await logIn({ ...person, password: start }), 401, "sign_in_failed");
    expectProblem(await logIn({ ...person, password: start.slice(0, 72) }), 401, "sign_in_failed");
    expect((await logIn(person)).status).toBe(200);
  });

  it("with case and every space, but in any normal form", async () => {
    const person = await verifiedPerson({ password: `Tür und Ångström ﬁnden ${salt()}` });
    for (const changed of [
      `${person.password} `,
      ` ${person.password}`,
      person.password.toLowerCase(),
      person.password.replace(" ", "  "),
    ]) {
      expectProblem(await logIn({ ...person, password: changed }), 401, "sign_in_failed");
    }
    for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as const) {
      expect((await logIn({ ...person, password: person.password.normalize(form) })).status, form).toBe(200);
    }
  });

  it("is never shortened to be too long for the door: 128 code points of four bytes sign in", async () => {
    const person = await verifiedPerson({ password: `${"🐚".repeat(127)}🪷` });
    expectProblem(await logIn({ ...person, password: "🐚".repeat(128) }), 401, "sign_in_failed");
    expect((await logIn(person)).status).toBe(200);
  });

  it("too long or ill-formed at login is refused without a token, like any wrong password or as a malformed request", async () => {
    const person = await verifiedPerson();
    for (const password of [
      JSON.stringify("x".repeat(129)),
      JSON.stringify("x".repeat(10_000)),
      '"lone \\udc00 surrogate"',
      '""',
    ]) {
      const answer = await post("/auth/login", `{"email":"${person.email}","password":${password}}`);
      expectProblem(answer, answer.status === 400 ? 400 : 401, ["invalid_request", "sign_in_failed"]);
    }
  });
});
