// A service in some runtime, with nothing but the package that is published: reads what to verify from its argument (an
// issuer, and tokens by name), prints what came of each as one line of JSON. No API that only one runtime has.
import { KeysUnavailable, requireAuth, revokedSessions, TokenRefused, verifyAccessToken } from "sallyport/verify";

const [argument] = globalThis.Deno?.args ?? globalThis.process.argv.slice(2);
const { issuer, deadIssuer, audience, tokens } = JSON.parse(argument);

async function outcomeOf(token, options) {
  try {
    return (await verifyAccessToken(token, { issuer, audience, ...options })).sub;
  } catch (error) {
    if (error instanceof TokenRefused) return error.code;
    return error instanceof KeysUnavailable ? "unavailable" : `${error}`;
  }
}

const outcomes = {};
for (const [name, token] of Object.entries(tokens)) outcomes[name] = await outcomeOf(token);
outcomes.dead = await outcomeOf(tokens.good, { issuer: deadIssuer });
outcomes.closed = await outcomeOf(tokens.good, { revokedSessions: revokedSessions(issuer, { onFeedLost: "closed" }) });
outcomes.middleware = typeof requireAuth({ issuer, audience, acr: "aal2" });
console.log(JSON.stringify(outcomes));
