import type { KubeConfig } from "@kubernetes/client-node";
import { createRest, type Rest } from "../src/kube/rest.ts";
import { createObjectWatch, type WatchObject } from "./watch.ts";

/** The Kubernetes API as far as certificates need it. */
export interface CertificatePorts {
  readonly rest: Rest;
  readonly watch: WatchObject;
}

/**
 * Ten seconds for a call: a frozen API server never answers, and that would be a time in which nothing is repaired. Three
 * calls a round stay below the round's minute.
 */
const CALL_TIMEOUT_MS = 10_000;

/** Connects the ports to the cluster that the kubeconfig's current context names. */
export function createCertificatePorts(kubeConfig: KubeConfig): CertificatePorts {
  const rest = createRest(kubeConfig);
  function withTimeout(signal?: AbortSignal): AbortSignal {
    const timeout = AbortSignal.timeout(CALL_TIMEOUT_MS);
    return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  }
  return {
    rest: {
      call: async (method, path, options = {}) =>
        rest.call(method, path, { ...options, signal: withTimeout(options.signal) }),
      get: async (path, signal) => rest.get(path, withTimeout(signal)),
    },
    watch: createObjectWatch(rest),
  };
}
