import { expect, it } from "vitest";
import { refreshSession } from "../../../src/account/refreshing.ts";
import { claim, NOW, SECRET, session, TERMS } from "../support/account-samples.ts";
import { storeWith } from "../support/memory-store.ts";

it.each([
  ["one that was replaced twice over is theft", 3, "refresh_token_reused"],
  ["one that was replaced and not retried in time is lost", 4, "refresh_token_lost"],
  ["one that was never given out is of a time before a restore, and nobody's theft", 6, "refresh_token_lost"],
])("of refresh tokens, %s, and the session ends", (_, generation, refused) => {
  const store = storeWith({ sessions: [session({ generation: 5 })] });
  const { trustTerms } = claim();
  const services = { audiences: [{ name: TERMS.audience }] };
  const token = { sessionId: "s1", generation, secret: SECRET, epoch: 1 };
  const request = { ...token, ...services, factorMaxAgeMs: 86_400_000, trustTerms };
  expect(refreshSession(store, request, NOW + 60_000)).toEqual({ refused });
  expect(store.sessions()).toEqual([]);
});
