import type { Logger } from "pino";
import { runHandBack } from "../kube/hand-back-loop.ts";
import type { Rest } from "../kube/rest.ts";
import type { Metrics } from "../metrics.ts";
import type { ControllerLink } from "./controller-link.ts";
import type { RunningPolicy } from "./policy.ts";

/** What handing back needs of the webhook's parts. */
interface HandBackParts {
  readonly rest: Rest;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "restoresHandedBack">;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/**
 * Hands restores back to Velero while the controller is down for too long, until the signal aborts. Any replica does it: the
 * controller, whose task it is, is down then.
 */
export function startHandBack(
  { rest, log, metrics, onError, signal }: HandBackParts,
  policy: RunningPolicy,
  controller: ControllerLink,
): void {
  void runHandBack({
    rest,
    policy: () => policy.current(),
    controllerAlive: () => controller.liveness.alive(),
    controllerAliveStill: async () => controller.aliveStill(),
    monotonic: () => performance.now(),
    onHandedBack: ({ metadata: { namespace, name, uid } }, reason) => {
      metrics.restoresHandedBack.inc();
      log.warn({ namespace, name, uid, reason }, "restore handed back to Velero");
    },
    onError,
    signal,
  });
}
