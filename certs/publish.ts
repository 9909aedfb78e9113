import * as z from "zod";
import type { Rest } from "../src/kube/rest.ts";
import { describeFailure, statusOf } from "./failure.ts";
import { narrowOwnership } from "./ownership.ts";

/** A webhook configuration whose caBundle is ours to keep. */
export interface ConfigurationRef {
  readonly kind: "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration";
  readonly name: string;
}

/** Where the API server keeps each kind. */
export const COLLECTIONS: Readonly<Record<ConfigurationRef["kind"], string>> = {
  MutatingWebhookConfiguration: "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
  ValidatingWebhookConfiguration: "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
};

/** The field manager under which the API server records that caBundle, and nothing but caBundle, is ours. */
export const FIELD_MANAGER = "snapshot-retainer-certs";

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
/** A webhook configuration, as far as it is read here. */
export type Configuration = z.infer<typeof Configuration>;

/** One write: server-side apply, or the patch that narrows what it has made ours. */
interface Write {
  readonly contentType: string;
  readonly query: string;
  readonly body: unknown;
}

/** Reads a configuration; undefined when it is absent. Throws an Error with a remedy when the API server refuses. */
export async function readConfiguration(
  rest: Rest,
  ref: ConfigurationRef,
): Promise<Configuration | undefined> {
  const found = await call(ref, "read", () => rest.get(`${COLLECTIONS[ref.kind]}/${ref.name}`));
  return found === undefined ? undefined : Configuration.parse(found);
}

/** What became of a write; `outrun`: somebody changed the configuration since it was read, so look again. */
export type WriteResult = "right" | "written" | "outrun";

/**
 * Makes the next write that lets every webhook of a configuration carry the bundle, and none when all is right. Throws an
 * Error with a remedy when the API server refuses.
 */
export async function writeNext(
  rest: Rest,
  { ref, found, bundle }: { ref: ConfigurationRef; found: Configuration; bundle: string },
): Promise<WriteResult> {
  const write = nextWrite(ref, found, bundle);
  if (write === undefined) return "right";
  try {
    const path = `${COLLECTIONS[ref.kind]}/${ref.name}?${write.query}`;
    await call(ref, "write caBundle into", () => rest.call("PATCH", path, write));
    return "written";
  } catch (error) {
    const status = error instanceof Error ? statusOf(error.cause) : undefined;
    // 409: changed since it was read. 404: deleted since.
    if (status === 409 || status === 404) return "outrun";
    throw error;
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

/** Gives the caBundle of each webhook in PEM, undefined where there is none. */
export function bundlesOf({ webhooks }: Configuration): (string | undefined)[] {
  return (webhooks ?? []).map(({ clientConfig: { caBundle } }) =>
    caBundle === undefined ? undefined : Buffer.from(caBundle, "base64").toString(),
  );
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
    case undefined:
      return "the API server cannot be reached: check the network and its health";
    default:
      return "it will be tried again";
  }
}
