import * as z from "zod";
import type { Rest } from "../src/kube/rest.ts";
import { describeFailure, statusOf } from "./failure.ts";
import { narrowOwnership } from "./ownership.ts";

/** A webhook configuration whose caBundle is ours to keep. */
export interface ConfigurationRef {
  readonly kind: "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration";
  readonly name: string;
}

/** What a configuration held when it was last read: the caBundle of each webhook in PEM, undefined where there is none. */
export type PublishedBundles = readonly (string | undefined)[];

/** What to publish, and where. */
export interface Publication {
  readonly rest: Rest;
  readonly ref: ConfigurationRef;
  readonly bundle: string;
  /** Told what the configuration holds, whenever it is known, also when writing fails then; undefined when absent. */
  readonly onRead: (found: PublishedBundles | undefined) => void;
}

/** Where the API server keeps each kind. */
export const COLLECTIONS: Readonly<Record<ConfigurationRef["kind"], string>> = {
  MutatingWebhookConfiguration: "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
  ValidatingWebhookConfiguration: "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
};

/** The field manager under which the API server records that caBundle, and nothing but caBundle, is ours. */
export const FIELD_MANAGER = "snapshot-retainer-certs";

/**
 * How often a write may be outrun, by another replica that publishes the same as a rule. Five replicas starting at once
 * need two for each of the two writes; what is still being changed after eight is left to the next look.
 */
const MAX_ROUNDS = 8;

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
const Configuration = z.object({
  metadata: z.object({
    resourceVersion: z.string(),
    managedFields: z
      .array(
        z.looseObject({
          manager: z.string().optional(),
          operation: z.string().optional(),
          fieldsV1: z.unknown(),
        }),
      )
      .optional(),
  }),
  webhooks: z
    .array(z.object({ name: z.string(), clientConfig: z.object({ caBundle: z.string().optional() }) }))
    .nullish(),
});
type Configuration = z.infer<typeof Configuration>;

/** One write: server-side apply, or the patch that narrows what it has made ours. */
interface Write {
  readonly contentType: string;
  readonly query: string;
  readonly body: unknown;
}

/**
 * Makes every webhook of a configuration carry the bundle, writing only when one does not; says whether it wrote. Leaves
 * an absent configuration absent. Throws an Error with a remedy when the API server refuses.
 */
export async function publishBundle({ rest, ref, bundle, onRead }: Publication): Promise<boolean> {
  let written = false;
  for (let round = 1; ; round++) {
    const found = await call(ref, "read", () => readConfiguration(rest, ref));
    onRead(found === undefined ? undefined : bundlesOf(found));
    const write = found === undefined ? undefined : nextWrite(ref, found, bundle);
    if (write === undefined) return written;
    if (round > MAX_ROUNDS) throw new Error(`${ref.kind} "${ref.name}" keeps being changed meanwhile`);
    try {
      const path = `${COLLECTIONS[ref.kind]}/${ref.name}?${write.query}`;
      await call(ref, "write caBundle into", () => rest.call("PATCH", path, write));
      written = true;
    } catch (error) {
      if (!(error instanceof PublishFailed) || error.status !== 409 || round === MAX_ROUNDS) throw error;
    }
  }
}

/** What is to be written next to a configuration as it was read; undefined when all is right. */
export function nextWrite(ref: ConfigurationRef, found: Configuration, bundle: string): Write | undefined {
  const caBundle = Buffer.from(bundle).toString("base64");
  const webhooks = found.webhooks ?? [];
  const { resourceVersion, managedFields = [] } = found.metadata;
  if (webhooks.some(({ clientConfig }) => clientConfig.caBundle !== caBundle)) {
    return {
      contentType: "application/apply-patch+yaml",
      query: `fieldManager=${FIELD_MANAGER}&force=true`,
      body: {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: ref.kind,
        // The API server then refuses the write instead of adding a webhook that was deleted in between.
        metadata: { name: ref.name, resourceVersion },
        webhooks: webhooks.map(({ name }) => ({ name, clientConfig: { caBundle } })),
      },
    };
  }
  const narrowed = narrowOwnership(managedFields, FIELD_MANAGER);
  return narrowed === undefined
    ? undefined
    : {
        contentType: "application/json-patch+json",
        query: `fieldManager=${FIELD_MANAGER}`,
        body: [
          // Not "test", whose failure is no conflict but an invalid request.
          { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
          { op: "replace", path: "/metadata/managedFields", value: narrowed },
        ],
      };
}

function bundlesOf({ webhooks }: Configuration): PublishedBundles {
  return (webhooks ?? []).map(({ clientConfig: { caBundle } }) =>
    caBundle === undefined ? undefined : Buffer.from(caBundle, "base64").toString(),
  );
}

async function readConfiguration(
  rest: Rest,
  { kind, name }: ConfigurationRef,
): Promise<Configuration | undefined> {
  const found = await rest.get(`${COLLECTIONS[kind]}/${name}`);
  return found === undefined ? undefined : Configuration.parse(found);
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
