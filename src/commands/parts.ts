import type { KubeConfig } from "@kubernetes/client-node";
import { loadKubeConfig } from "../config.ts";
import type { WebhookConfig } from "../config.ts";
import { createEventRecorder } from "../kube/events.ts";
import type { EventRecorder } from "../kube/events.ts";
import { createRest } from "../kube/rest.ts";
import type { StreamingRest } from "../kube/rest.ts";
import { createLog, messageOf } from "../log.ts";
import type { Log } from "../log.ts";
import { createMetrics } from "../metrics.ts";
import type { Metrics } from "../metrics.ts";

/** What webhook and controller alike are made from. */
export interface Parts<Config> {
  readonly config: Config;
  readonly kubeConfig: KubeConfig;
  readonly rest: StreamingRest;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventRecorder;
  /** For what runs in the background and is tried again: counts and logs. */
  readonly onError: (error: unknown) => void;
  /** Aborted when everything else has ended. */
  readonly signal: AbortSignal;
}

/** The parts of one program; `component` is whom its Events are of. Throws `ConfigError` for a kubeconfig that cannot work. */
export function createParts<Config extends Pick<WebhookConfig, "kubeconfig" | "logLevel">>(
  config: Config,
  component: string,
  signal: AbortSignal,
): Parts<Config> {
  const kubeConfig = loadKubeConfig(config.kubeconfig);
  const log = createLog(config.logLevel);
  const metrics = createMetrics();
  const rest = createRest(kubeConfig);
  const events = createEventRecorder({
    rest,
    component,
    now: () => new Date(),
    onDropped: (error) => {
      metrics.eventsDropped.inc();
      if (error !== undefined) log.warn({ error: messageOf(error) }, "event not written");
    },
  });
  function onError(error: unknown): void {
    metrics.watchErrors.inc();
    log.warn({ error: messageOf(error) }, "background call failed, will be retried");
  }
  return { config, kubeConfig, rest, log, metrics, events, onError, signal };
}
