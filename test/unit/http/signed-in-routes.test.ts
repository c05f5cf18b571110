import { describe, expect, it } from "vitest";
import { REQUIREMENTS, type SensitiveAction } from "../../../src/account/requirements.ts";
import { readSources } from "../support/source-scan.ts";

/** What each route behind a sign-in needs, from the contract. Without an action: that the session lives, and no more. */
const ROUTES: Record<string, SensitiveAction | undefined> = {
  "GET /me": undefined,
  "POST /step-up": undefined,
  "GET /2fa": undefined,
  "POST /2fa/totp/enroll": "enrol_factor",
  // Confirming is for the session that was shown the secret, or the passkey's challenge: that is its own condition.
  "POST /2fa/totp/confirm": undefined,
  "POST /2fa/passkeys/options": "enrol_factor",
  "POST /2fa/passkeys": undefined,
  "PATCH /2fa/factors/:id": undefined,
  "DELETE /2fa/factors/:id": "remove_factor",
  "POST /2fa/turn-off": "turn_off_second_factor",
  "POST /2fa/recovery-codes": "replace_recovery_codes",
  "GET /sessions": undefined,
  "DELETE /sessions/:id": undefined,
  "DELETE /sessions": undefined,
  "GET /browsers": undefined,
  "DELETE /browsers/:id": "forget_browser",
  "POST /password/change": "change_password",
  "POST /email/change": "change_email",
  "DELETE /me": "delete_account",
  "GET /export": "export_account",
  "GET /activity": undefined,
};

/** What admins alone may ask for, and with how new a factor. */
const ADMIN_ROUTES = {
  adminReads: [
    "GET /alerts",
    "GET /events",
    "GET /events/export",
    "GET /events/stream",
    "GET /keys",
    "GET /stats",
    "GET /users",
  ],
  adminWrites: [
    "POST /keys",
    "POST /users/:id/disable",
    "POST /users/:id/enable",
    "POST /users/:id/reset-factors",
    "POST /users/:id/roles",
    "POST /users/:id/sign-out",
    "POST /users/:id/unlock",
    "POST /users/invite",
  ],
};

/** Where an enrolment token does instead of a session. */
const ENROLLING = [
  "POST /2fa/totp/enroll",
  "POST /2fa/totp/confirm",
  "POST /2fa/passkeys/options",
  "POST /2fa/passkeys",
];

const sources = readSources("src/http/routes").map(({ text }) =>
  text.replace(/^import [^;]+;/gm, "").replace(/\s+/g, " "),
);

/** The routes of the application that name this guard. */
function routesBehind(guard: "signedIn" | "enrolling" | keyof typeof ADMIN_ROUTES): string[] {
  const route = new RegExp(`\\.(get|post|put|patch|delete)\\( ?"([^"]+)", ${guard}\\b`, "g");
  return sources.flatMap((text) =>
    [...text.matchAll(route)].map(([, method = "", path = ""]) => `${method.toUpperCase()} ${path}`),
  );
}

describe("the routes behind a sign-in", () => {
  it("are all in the table of what each of them needs, and so is every new one", () => {
    expect([...routesBehind("signedIn"), ...routesBehind("enrolling")].sort()).toEqual(Object.keys(ROUTES).sort());
  });

  it("take an enrolment token where a factor is added, and nowhere else", () => {
    expect(routesBehind("enrolling").sort()).toEqual(ENROLLING.toSorted());
  });

  it("name their guard where it can be found: no other use of one goes unseen", () => {
    const uses = sources.flatMap((text) => [...text.matchAll(/\b(signedIn|enrolling)\b/g)]);
    expect(uses).toHaveLength(Object.keys(ROUTES).length);
  });

  it("are the only ones that look at a token, but for logging out and for what takes a link instead", () => {
    const own = readSources("src/http/routes").filter(({ text }) => text.includes("presentedToken("));
    expect(own.map(({ path }) => path.split("/").at(-1))).toEqual(["recovery.ts", "sign-in.ts"]);
  });

  it("are the only ones with a requirement, and each requirement is somebody's", () => {
    const needed = new Set(Object.values(ROUTES).filter((action) => action !== undefined));
    expect(Object.keys(REQUIREMENTS).sort()).toEqual([...needed].sort());
  });

  it("of admins are all in their table, and each has its guard", () => {
    expect(routesBehind("adminReads").sort()).toEqual(ADMIN_ROUTES.adminReads);
    expect(routesBehind("adminWrites").sort()).toEqual(ADMIN_ROUTES.adminWrites);
    const routes = readSources("src/http/routes").filter(({ path }) => /\/?admin-[a-z]+\.ts$/.test(path));
    const handlers = routes.flatMap(({ text }) => [...text.matchAll(/^ {2}\.(get|post|put|patch|delete)\(/gm)]);
    expect(handlers).toHaveLength(Object.values(ADMIN_ROUTES).flat().length);
  });

  it("need what the contract says", () => {
    expect(REQUIREMENTS).toEqual({
      enrol_factor: "enrol",
      remove_factor: "fresh",
      turn_off_second_factor: "fresh",
      replace_recovery_codes: "fresh",
      forget_browser: "fresh_or_password",
      change_password: "fresh_or_password",
      change_email: "fresh_or_password",
      delete_account: "fresh_or_password",
      export_account: "fresh_or_password",
    });
  });
});
