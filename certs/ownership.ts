/** Entries of `metadata.managedFields`, as far as they are read here; everything else of them stays as it is. */
export type ManagedFields = readonly {
  readonly manager?: string | undefined;
  readonly operation?: string | undefined;
  readonly fieldsV1?: unknown;
}[];

type Fields = Readonly<Record<string, unknown>>;

/**
 * What server-side apply makes ours is more than caBundle: the list entry of each webhook that was named, and its name.
 * Whoever installed the configuration by apply (Helm 4, Flux, Argo CD) could then never again drop a webhook from it: ours
 * would remain of it, without the fields that it needs, and the API server refuse the whole upgrade. So that is given back.
 *
 * Gives the managed fields in which `manager` owns nothing but `clientConfig.caBundle` of each webhook, or undefined where
 * that is so already. What others own is not touched.
 */
export function narrowOwnership(managedFields: ManagedFields, manager: string): ManagedFields | undefined {
  const narrowed = managedFields.map((entry) => {
    if (entry.manager !== manager || entry.operation !== "Apply") return entry;
    const webhooks = fieldsOf(fieldsOf(entry.fieldsV1)["f:webhooks"]);
    return { ...entry, fieldsV1: { "f:webhooks": onlyBundles(webhooks) } };
  });
  return JSON.stringify(narrowed) === JSON.stringify(managedFields) ? undefined : narrowed;
}

function onlyBundles(webhooks: Fields): Fields {
  return Object.fromEntries(
    Object.keys(webhooks)
      .filter((key) => key.startsWith("k:"))
      .map((key) => [key, { "f:clientConfig": { "f:caBundle": {} } }]),
  );
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
