import { beforeAll } from "vitest";
import { talkTo } from "./client.ts";
import { sharedInstanceThatAnswers } from "./shared-instance.ts";

// Each file begins with the shared instance, whatever the one before it in this place of the pool has left behind.
beforeAll(async () => talkTo(await sharedInstanceThatAnswers()));
