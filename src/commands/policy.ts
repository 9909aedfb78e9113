import { createHash } from "node:crypto";
import type { Logger } from "pino";
import type { WebhookConfig } from "../config.ts";
import type { EventRecorder } from "../kube/events.ts";
import { POLICY_KEY, watchConfigMap, watchFile } from "../kube/policy-source.ts";
import type { ConfigMap } from "../kube/policy-source.ts";
import type { StreamingRest } from "../kube/rest.ts";
import { messageOf } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { createPolicyStore } from "../policy/store.ts";
import type { PolicyNews } from "../policy/store.ts";

/** The policy that is in force, kept up to date. */
export interface RunningPolicy {
  current(): RetentionPolicy | undefined;
  /** Where it comes from, for messages. */
  readonly location: string;
  /** Calls with the policy in force, if any, and with each new one. */
  onLoaded(listener: (policy: RetentionPolicy) => void): void;
}

/** What watching the policy needs. */
export interface PolicyOptions {
  readonly config: Pick<WebhookConfig, "namespace" | "policyConfigmap" | "policyFile">;
  readonly rest: StreamingRest;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly events: EventRecorder;
  readonly signal: AbortSignal;
}

/** Watches the ConfigMap or the file that holds the policy; reports each version to log, metrics and Events. */
export async function startPolicy(options: PolicyOptions): Promise<RunningPolicy> {
  const { config } = options;
  const location =
    config.policyFile === undefined
      ? `ConfigMap ${config.namespace}/${config.policyConfigmap}`
      : `file ${config.policyFile}`;
  const listeners: ((policy: RetentionPolicy) => void)[] = [];
  let seen: ConfigMap | undefined;
  const store = createPolicyStore(location, (news) => {
    report(options, location, news, seen);
    if (news.kind === "loaded") {
      for (const listener of listeners) {
        listener(news.policy);
      }
    }
  });
  if (config.policyFile === undefined) {
    watchConfigMap({
      ...options,
      namespace: config.namespace,
      name: config.policyConfigmap,
      onChange: (configMap) => {
        seen = configMap;
        store.offer(configMap?.data?.[POLICY_KEY]);
      },
      onError: (error) => {
        options.metrics.watchErrors.inc();
        options.log.warn({ error: messageOf(error) }, "policy could not be read, will be retried");
      },
    });
  } else {
    await watchFile(config.policyFile, (text) => store.offer(text), options.signal);
  }
  return {
    current: () => store.current(),
    location,
    onLoaded(listener) {
      listeners.push(listener);
      const policy = store.current();
      if (policy !== undefined) {
        listener(policy);
      }
    },
  };
}

function report(
  { log, metrics, events, config }: PolicyOptions,
  location: string,
  news: PolicyNews,
  configMap: ConfigMap | undefined,
): void {
  metrics.policyLoads.inc({ result: news.kind });
  metrics.policyValid.set(news.kind === "loaded" ? 1 : 0);
  if (news.kind === "loaded") {
    const { mode, snapshotsToRetain, rules } = news.policy;
    const hash = createHash("sha256").update(JSON.stringify(news.policy)).digest("hex").slice(0, 12);
    metrics.policyInfo.reset();
    metrics.policyInfo.set({ mode, hash }, 1);
    log.info({ policy: location, mode, snapshotsToRetain, rules: rules.length }, "policy in force");
    return;
  }
  log.error({ policy: location, reason: news.message }, `policy ${news.kind}`);
  if (config.policyFile === undefined) {
    const { namespace, policyConfigmap: name } = config;
    const subject = { apiVersion: "v1", kind: "ConfigMap", namespace, name, uid: configMap?.metadata.uid };
    events.record(subject, {
      type: "Warning",
      reason: news.kind === "invalid" ? "PolicyInvalid" : "PolicyMissing",
      message: news.message,
    });
  }
}
