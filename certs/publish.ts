import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { describeFailure, statusOf } from "./failure.ts";
import type { WebhooksPort } from "./ports.ts";

/** A webhook configuration whose caBundle is ours to keep. */
export interface ConfigurationRef {
  readonly kind: "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration";
  readonly name: string;
}

/** What a configuration held when it was last read: the caBundle of each webhook in PEM, undefined where there is none. */
export type PublishedBundles = readonly (string | undefined)[];

/** What to publish, and where. */
export interface Publication {
  readonly webhooks: WebhooksPort;
  readonly ref: ConfigurationRef;
  readonly bundle: string;
  /** Told what the configuration holds, whenever it is known, also when writing fails then; undefined when absent. */
  readonly onRead: (found: PublishedBundles | undefined) => void;
}

/** The field manager under which the API server records that caBundle, and nothing but caBundle, is ours. */
const FIELD_MANAGER = "snapshot-retainer-certs";

/**
 * How often a write may be outrun, by another replica that publishes the same as a rule. Five replicas starting at once
 * need two; what is still being changed after five is left to the next look.
 */
const MAX_ROUNDS = 5;

/** Publishing failed; the message says what to do, the status is the API server's, where it answered. */
class PublishFailed extends Error {
  override readonly name = "PublishFailed";
  readonly status: number | undefined;

  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.status = statusOf(cause);
  }
}

/** The fields of a webhook configuration that publishing looks at; both kinds have them. */
interface Configuration {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: { readonly caBundle?: string };
  }[];
}

/**
 * Makes every webhook of a configuration carry the bundle, writing only when one does not; says whether it wrote. Leaves
 * an absent configuration absent. Throws an Error with a remedy when the API server refuses.
 */
export async function publishBundle({ webhooks, ref, bundle, onRead }: Publication): Promise<boolean> {
  for (let round = 1; ; round++) {
    const found = await call(ref, "read", () => findConfiguration(webhooks, ref));
    onRead(found === undefined ? undefined : bundlesOf(found));
    const patch = found === undefined ? undefined : patchDocument(found, bundle);
    if (patch === undefined) return false;
    try {
      const merged = await call(ref, "write caBundle into", () => patchConfiguration(webhooks, ref, patch));
      onRead(bundlesOf(merged));
      return true;
    } catch (error) {
      if (!(error instanceof PublishFailed) || error.status !== 409 || round === MAX_ROUNDS) throw error;
    }
  }
}

/**
 * Builds a strategic merge patch that gives the bundle to the webhooks that lack it, by their names, and undefined when
 * none does. The resourceVersion read goes with it: the API server then refuses the patch instead of adding a webhook
 * that was deleted in between.
 *
 * Why not server-side apply: an applier owns the list entries it names. Whoever installed the configuration by apply
 * (Helm 4, Flux, Argo CD) could then never again drop a webhook from it: ours would remain of it, without the required
 * fields, and the API server refuse the whole upgrade. A patch under the same field manager owns caBundle alone.
 */
export function patchDocument(
  { metadata, webhooks = [] }: Configuration,
  bundle: string,
): object | undefined {
  const caBundle = Buffer.from(bundle).toString("base64");
  const lacking = webhooks.filter(({ clientConfig }) => clientConfig.caBundle !== caBundle);
  if (lacking.length === 0) return undefined;
  return {
    metadata: { resourceVersion: metadata?.resourceVersion },
    webhooks: lacking.map(({ name }) => ({ name, clientConfig: { caBundle } })),
  };
}

function bundlesOf({ webhooks = [] }: Configuration): PublishedBundles {
  return webhooks.map(({ clientConfig: { caBundle } }) =>
    caBundle === undefined ? undefined : Buffer.from(caBundle, "base64").toString(),
  );
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

async function patchConfiguration(
  port: WebhooksPort,
  { kind, name }: ConfigurationRef,
  body: object,
): Promise<Configuration> {
  const request = { name, body, fieldManager: FIELD_MANAGER };
  const options = setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch);
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
    throw new PublishFailed(`cannot ${action} ${ref.kind} "${ref.name}": ${reason}`, cause);
  }
}

function remedy(cause: unknown): string {
  switch (statusOf(cause)) {
    case 403:
      return "grant the ServiceAccount get, list, watch and patch on it, as the chart's ClusterRole does";
    case 404:
    case 409:
      return "it keeps being changed meanwhile; it will be tried again";
    case undefined:
      return "the API server cannot be reached: check the network and its health";
    default:
      return "it will be tried again";
  }
}
