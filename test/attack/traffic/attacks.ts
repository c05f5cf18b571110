import type { Pattern } from "../../../src/events/detectors/detector.ts";
import { ATTACKS_FROM_SOURCES } from "./attacks-from-sources.ts";
import { ATTACKS_ON_ACCOUNTS } from "./attacks-on-accounts.ts";
import type { Random } from "./random.ts";
import type { Act } from "./service-model.ts";
import type { World } from "./world.ts";

/** Low is around the threshold or below it; medium and high must be found. */
export const STRENGTHS = ["low", "medium", "high"] as const;
export type Strength = (typeof STRENGTHS)[number];

/** An attack, and what an alert about it has to name. */
export interface Attack {
  pattern: Pattern;
  strength: Strength;
  subjects: string[];
  from: number;
  to: number;
  acts: Act[];
}

/** What an attack is made of: who there is, what they do otherwise, and when it begins. */
export interface Scene {
  random: Random;
  world: World;
  /** What people do, in the order of time. */
  normal: readonly Act[];
  strength: Strength;
  at: number;
  /** Different for every attack of a run. */
  name: string;
}

/** Makes an attack. */
export type Plan = (scene: Scene) => Pick<Attack, "subjects" | "acts">;

/** How each pattern is attacked. */
export const PLANS: Record<Pattern, Plan> = { ...ATTACKS_ON_ACCOUNTS, ...ATTACKS_FROM_SOURCES };

/** An attack as it is injected. */
export function newAttack(pattern: Pattern, scene: Scene): Attack {
  const { subjects, acts } = PLANS[pattern](scene);
  // Whole milliseconds, as events have them.
  const times = acts.map(({ at }) => Math.round(at));
  return { pattern, strength: scene.strength, subjects, from: Math.min(...times), to: Math.max(...times), acts };
}
