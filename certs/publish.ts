import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { describeFailure, statusOf } from "./failure.ts";
import type { WebhooksPort } from "./ports.ts";

/** A webhook configuration whose caBundle is ours to keep. */
export interface ConfigurationRef {
  readonly kind: "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration";
  readonly name: string;
}

/** What a configuration held when it was last read: each webhook's caBundle in PEM, undefined where there is none. */
export interface PublishedBundles {
  readonly webhooks: readonly { readonly name: string; readonly bundle: string | undefined }[];
  readonly applied: boolean;
}

/** The field manager under which the API server records that caBundle, and nothing but caBundle, is ours. */
export const FIELD_MANAGER = "snapshot-retainer-certs";

/** The fields of a webhook configuration that publishing looks at; both kinds have them. */
interface Configuration {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: { readonly caBundle?: string };
  }[];
}

/**
 * Makes every webhook of a configuration carry the bundle, writing only when one does not; gives what it then holds, and
 * undefined when the configuration is absent. Throws an Error with a remedy when the API server refuses.
 */
export async function publishBundle(
  webhooks: WebhooksPort,
  ref: ConfigurationRef,
  bundle: string,
): Promise<PublishedBundles | undefined> {
  const found = await call(ref, "read", () => findConfiguration(webhooks, ref));
  if (found === undefined) return undefined;
  if (!needsBundle(found, bundle)) return { ...bundlesOf(found), applied: false };
  const body = applyDocument(ref, found, bundle);
  const merged = await call(ref, "apply caBundle to", () => applyConfiguration(webhooks, ref, body));
  return { ...bundlesOf(merged), applied: true };
}

/**
 * Builds the apply document. It names every webhook, as one left out would lose the caBundle that we own; and it carries
 * the resourceVersion read, so that it neither recreates a webhook nor a whole configuration deleted in between.
 */
export function applyDocument(ref: ConfigurationRef, found: Configuration, bundle: string): object {
  const caBundle = Buffer.from(bundle).toString("base64");
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: ref.kind,
    metadata: { name: ref.name, resourceVersion: found.metadata?.resourceVersion },
    webhooks: (found.webhooks ?? []).map(({ name }) => ({ name, clientConfig: { caBundle } })),
  };
}

function needsBundle(found: Configuration, bundle: string): boolean {
  return bundlesOf(found).webhooks.some((webhook) => webhook.bundle !== bundle);
}

function bundlesOf({ webhooks = [] }: Configuration): Pick<PublishedBundles, "webhooks"> {
  return {
    webhooks: webhooks.map(({ name, clientConfig: { caBundle } }) => ({
      name,
      bundle: caBundle === undefined ? undefined : Buffer.from(caBundle, "base64").toString(),
    })),
  };
}

async function findConfiguration(
  port: WebhooksPort,
  ref: ConfigurationRef,
): Promise<Configuration | undefined> {
  try {
    return await readConfiguration(port, ref);
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

async function readConfiguration(
  port: WebhooksPort,
  { kind, name }: ConfigurationRef,
): Promise<Configuration> {
  switch (kind) {
    case "MutatingWebhookConfiguration":
      return port.readMutatingWebhookConfiguration({ name });
    case "ValidatingWebhookConfiguration":
      return port.readValidatingWebhookConfiguration({ name });
  }
}

/** Forces: caBundle is all the document holds, so that is all it can take from another manager, such as an old release. */
async function applyConfiguration(
  port: WebhooksPort,
  { kind, name }: ConfigurationRef,
  body: object,
): Promise<Configuration> {
  const request = { name, body, fieldManager: FIELD_MANAGER, force: true };
  const options = setHeaderOptions("Content-Type", PatchStrategy.ServerSideApply);
  switch (kind) {
    case "MutatingWebhookConfiguration":
      return port.patchMutatingWebhookConfiguration(request, options);
    case "ValidatingWebhookConfiguration":
      return port.patchValidatingWebhookConfiguration(request, options);
  }
}

async function call<T>(ref: ConfigurationRef, action: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (cause) {
    const reason = `${describeFailure(cause)}; ${remedy(cause)}`;
    throw new Error(`cannot ${action} ${ref.kind} "${ref.name}": ${reason}`, { cause });
  }
}

function remedy(cause: unknown): string {
  switch (statusOf(cause)) {
    case 403:
      return "grant the ServiceAccount get, list, watch and patch on it, as the chart's ClusterRole does";
    case 404:
    case 409:
      return "it was changed meanwhile and will be read again";
    case undefined:
      return "the API server cannot be reached: check the network and its health";
    default:
      return "it will be tried again";
  }
}
