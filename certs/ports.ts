import {
  AdmissionregistrationV1Api,
  CoreV1Api,
  createConfiguration,
  ServerConfiguration,
  type KubeConfig,
} from "@kubernetes/client-node";
import { createObjectWatch, type WatchObject } from "./watch.ts";

/** The calls on Secrets that certificates make. */
export type SecretsPort = Pick<
  CoreV1Api,
  "createNamespacedSecret" | "readNamespacedSecret" | "replaceNamespacedSecret"
>;

/** The calls on webhook configurations that certificates make. */
export type WebhooksPort = Pick<
  AdmissionregistrationV1Api,
  | "readMutatingWebhookConfiguration"
  | "readValidatingWebhookConfiguration"
  | "patchMutatingWebhookConfiguration"
  | "patchValidatingWebhookConfiguration"
>;

/** The Kubernetes API as far as certificates need it. */
export interface CertificatePorts {
  readonly secrets: SecretsPort;
  readonly webhooks: WebhooksPort;
  readonly watch: WatchObject;
}

/**
 * Ten seconds for a call: fetch alone waits five minutes for an answer that a frozen API server never gives, and that
 * would be five minutes in which nothing is repaired. Three calls a round stay below the round's minute.
 */
const CALL_TIMEOUT_MS = 10_000;

/** Connects the ports to the cluster that the kubeconfig's current context names. */
export function createCertificatePorts(kubeConfig: KubeConfig): CertificatePorts {
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster === null) throw new Error("the kubeconfig has no current context with a cluster");
  const configuration = createConfiguration({
    baseServer: new ServerConfiguration(cluster.server, {}),
    authMethods: { default: kubeConfig },
    promiseMiddleware: [
      {
        async pre(context) {
          context.setSignal(AbortSignal.timeout(CALL_TIMEOUT_MS));
          return context;
        },
        async post(context) {
          return context;
        },
      },
    ],
  });
  return {
    secrets: new CoreV1Api(configuration),
    webhooks: new AdmissionregistrationV1Api(configuration),
    watch: createObjectWatch(kubeConfig),
  };
}
