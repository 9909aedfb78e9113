import type { RetentionPolicy } from "../policy/schema.ts";
import type { Plan } from "./plan.ts";
import type { World } from "./world.ts";

/** What to do with a world under a policy, at `now` (milliseconds since 1970). Never throws. */
export function decide(world: World, policy: RetentionPolicy, now: number): Plan {
  void [world, policy, now];
  return {
    volumes: [],
    snapshots: [],
    actions: [],
    room: [],
    recheckAt: undefined,
    notices: [],
    missingBackups: [],
  };
}
