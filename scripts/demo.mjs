// Walks through the two doors against a fresh local instance, over real HTTP, and checks every answer on the way.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer } from "../examples/node/server.mjs";
import { Authenticator } from "./demo/authenticator.mjs";
import { createClient, prove, Unexpected } from "./demo/client.mjs";
import { printFailure, printStep, printSummary } from "./demo/screen.mjs";
import { startInstance } from "./instance.mjs";

/** A mail is on its way at once; a second is already a sign of trouble. */
const MAIL_PATIENCE_MS = 5_000;

const sameMembers = (object, names) => Object.keys(object).sort().join() === [...names].sort().join();

/** Waits for the newest mail to `email` and returns the token of its link. */
async function readMail(auth, email) {
  const path = `/dev/mailbox?to=${encodeURIComponent(email)}`;
  const deadline = Date.now() + MAIL_PATIENCE_MS;
  while (!(await auth.peek(path)).messages?.length && Date.now() < deadline) await sleep(50);
  const { body } = await auth.get(path);
  const token = /\/verify-email#token=([A-Za-z0-9._~-]+)/.exec(body.messages?.[0]?.text)?.[1];
  prove(token, "the mail carries a link");
  return token;
}

async function openAccount(auth, person) {
  printStep("Registering answers the same for every address and stores nothing yet: the mailed link carries it all.");
  await auth.post("/auth/register", person, { status: 202 });

  printStep("The mail. This mailbox exists on localhost only.");
  const token = await readMail(auth, person.email);

  printStep("The link proves the address, the password proves who asked for it; only both together make an account.");
  await auth.post("/auth/email/verify", { token, password: person.password });
}

/** Signs in while the password is all there is, and adds the second factor. */
async function enrolAuthenticator(auth, person) {
  printStep("No second factor is active yet, so the password opens a session.");
  const { body: session } = await auth.post("/auth/login", person);
  prove(session.status === "authenticated", "the answer is a session");

  printStep("With its access token the account can be asked who is there and how they signed in.");
  const { body: me } = await auth.get("/auth/me", { token: session.access_token });
  prove(me.acr === "aal1", "one factor so far: aal1");

  printStep("An authenticator app is enrolled. Its secret and QR code are shown this one time.");
  const { body: factor } = await auth.post("/auth/2fa/totp/enroll", {}, { token: session.access_token, status: 201 });
  const authenticator = await Authenticator.scan(factor.secret);

  printStep("The first code shows that the app has the secret. From here on the second door is shut.");
  const proof = { factor_id: factor.factor_id, code: authenticator.code(-1) };
  const { body: confirmed } = await auth.post("/auth/2fa/totp/confirm", proof, { token: session.access_token });
  prove(confirmed.status === "active", "the factor is active");

  printStep("Signing out.");
  await auth.post("/auth/logout", { refresh_token: session.refresh_token }, { status: 204 });
  return authenticator;
}

async function tryTheFirstDoor(auth, service, person) {
  printStep("The first door: the password alone, again. It gets a challenge token and nothing else.");
  const { body: challenge, headers } = await auth.post("/auth/login", person);
  const members = ["status", "challenge_token", "expires_in", "methods"];
  prove(sameMembers(challenge, members), "no session, no access token, no refresh token, no profile");
  prove(!headers.has("Set-Cookie"), "no cookie");

  printStep("The challenge token is no access token: Sallyport's own routes refuse it.");
  await auth.get("/auth/me", { token: challenge.challenge_token, status: 401, code: "invalid_token" });

  printStep("Another service, which knows Sallyport by its URL only, refuses it too.");
  await service.get("/me", { token: challenge.challenge_token, status: 401 });
  return challenge.challenge_token;
}

async function openTheSecondDoor(auth, service, challengeToken, authenticator) {
  const answer = { challenge_token: challengeToken, method: "totp" };

  printStep("A wrong code spends an attempt. An account has ten an hour, over all challenges and sources together.");
  const wrong = { ...answer, code: authenticator.wrongCode() };
  const { body: refused } = await auth.post("/auth/2fa/verify", wrong, { status: 401, code: "invalid_code" });
  prove(refused.attempts_remaining > 0, "some attempts remain");

  printStep("The second door: the six digits of the app.");
  const { body: session } = await auth.post("/auth/2fa/verify", { ...answer, code: authenticator.code(0) });
  prove(session.status === "authenticated", "the answer is a session");

  printStep("The other service verifies the access token by itself, with the published key.");
  const { body: me } = await service.get("/me", { token: session.access_token });
  prove(me.acr === "aal2" && me.amr.includes("otp"), "two factors: aal2");
  return { ...session, provenAt: me.auth_time };
}

async function replayTheCode(auth, person, authenticator) {
  printStep("Someone saw both, password and code. The password still opens the first door …");
  const { body: challenge } = await auth.post("/auth/login", person);

  printStep("… but a code is accepted once, whichever challenge it answers.");
  const replay = { challenge_token: challenge.challenge_token, method: "totp", code: authenticator.code(0) };
  await auth.post("/auth/2fa/verify", replay, { status: 401, code: "invalid_code" });
}

/** Refreshes and lists sessions; resolves to the session with its newest tokens. */
async function keepTheSession(auth, first) {
  printStep("The access token lives for minutes; the refresh token gets the next one and is replaced itself.");
  const { body: next } = await auth.post("/auth/refresh", { refresh_token: first.refresh_token });
  prove(next.session_id === first.session_id, "the same session");
  prove(next.refresh_token !== first.refresh_token, "another refresh token");

  printStep("The account's sessions.");
  const { body } = await auth.get("/auth/sessions", { token: next.access_token });
  prove(body.sessions.length === 1, "one session: neither the challenges nor the replay opened any");
  prove(body.sessions[0].current, "it is this one");
  return { ...next, provenAt: first.provenAt };
}

async function stepUp(auth, service, session, authenticator) {
  // Tokens count whole seconds; the new proof must fall into a later one to be seen as new.
  await sleep(Math.max(0, (session.provenAt + 1) * 1000 - Date.now()));

  printStep("Something that matters more wants a fresh proof: stepping up starts with a challenge as well.");
  const { body: challenge } = await auth.post("/auth/step-up", {}, { token: session.access_token });

  printStep("The app's next code answers it with one access token of the same session, and no refresh token.");
  const answer = { challenge_token: challenge.challenge_token, method: "totp", code: authenticator.code(1) };
  const { body: fresh } = await auth.post("/auth/2fa/verify", answer);
  prove(!("refresh_token" in fresh), "no refresh token");

  printStep("The other service reads from it when the proof was given.");
  const { body: me } = await service.get("/me", { token: fresh.access_token });
  prove(me.sid === session.session_id, "the same session");
  prove(me.auth_time > session.provenAt, "a newer proof than that of the sign-in");
}

async function leave(auth, session) {
  printStep("Signing out ends the session …");
  await auth.post("/auth/logout", { refresh_token: session.refresh_token }, { status: 204 });

  printStep("… the refresh token is worth nothing …");
  const spent = { refresh_token: session.refresh_token };
  await auth.post("/auth/refresh", spent, { status: 401, code: "invalid_refresh_token" });

  printStep(
    "… and Sallyport refuses the access token at once. Services that verify by themselves follow when it expires.",
  );
  await auth.get("/auth/me", { token: session.access_token, status: 401, code: "invalid_token" });
}

async function walk(auth, service) {
  // Hexadecimal, so that by no chance a word of the address stands in it, which the password rules refuse.
  const person = { email: "visitor@example.com", password: randomBytes(16).toString("hex") };
  await openAccount(auth, person);
  const authenticator = await enrolAuthenticator(auth, person);
  const challengeToken = await tryTheFirstDoor(auth, service, person);
  const session = await openTheSecondDoor(auth, service, challengeToken, authenticator);
  await replayTheCode(auth, person, authenticator);
  const newest = await keepTheSession(auth, session);
  await stepUp(auth, service, newest, authenticator);
  await leave(auth, newest);
}

const SUMMARY = [
  "With a second factor active, the right password opens nothing: it gets a challenge token that no route",
  "and no other service takes for an access token.",
  "The code of an authenticator app opens the session, once: neither a wrong code nor the same code again does.",
  "Another service verifies the access token with nothing but a URL, and sees when and how it was earned.",
  "Signing out ends the session, its refresh token and its access token.",
  "",
  "Next: `npm run dev` keeps an instance running, to try the same with curl.",
];

/** Starts both services, walks, and stops them whatever happened. */
async function main() {
  console.log("Starting a fresh instance, with a state of its own …");
  const instance = await startInstance();
  const server = createServer({ issuer: instance.url }).listen(0, "localhost");
  const stopOnce = async () => {
    server.close();
    server.closeAllConnections();
    await instance.stop();
  };
  let stopping;
  const stop = () => {
    stopping ??= stopOnce();
    return stopping;
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop().finally(() => process.exit(1)));
  try {
    await once(server, "listening");
    const serviceUrl = `http://localhost:${server.address().port}`;
    console.log(`Sallyport: ${instance.url}\nAnother service, examples/node: ${serviceUrl}`);
    await walk(createClient(instance.url), createClient(serviceUrl, serviceUrl));
    printSummary("What was shown", SUMMARY);
  } finally {
    await stop();
  }
}

try {
  await main();
} catch (error) {
  printFailure(error instanceof Unexpected ? error.message : `The demo could not go on: ${error.stack}`);
  process.exitCode = 1;
}
