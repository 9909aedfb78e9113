import { ConfigMap, POLICY_KEY } from "../kube/policy-source.ts";
import { InvalidInput } from "../review/documents.ts";
import type { Manifest } from "../review/documents.ts";
import type { Collection, Reader } from "./collections.ts";

/** Reads collections from manifests; others' kinds are passed over. Throws `InvalidInput` with file, document and path. */
export function readDump(manifests: readonly Manifest[]): Reader {
  return async (collection) =>
    manifests.filter(({ object }) => isOf(object, collection)).map((manifest) => parse(manifest, collection));
}

/** The policy document among the manifests: the first ConfigMap of this name. */
export function policyIn(manifests: readonly Manifest[], name: string): string | undefined {
  const found = manifests.find(({ object }) => object.kind === "ConfigMap" && object.metadata.name === name);
  return ConfigMap.safeParse(found?.object).data?.data?.[POLICY_KEY];
}

function isOf({ apiVersion, kind }: Manifest["object"], collection: Collection<unknown>): boolean {
  const [group = ""] = apiVersion.includes("/") ? apiVersion.split("/") : [];
  return kind === collection.kind && group === collection.group;
}

function parse<T>({ file, document, object }: Manifest, { view }: Collection<T>): T {
  const parsed = view.safeParse(object);
  if (parsed.success) {
    return parsed.data;
  }
  const issue = parsed.error.issues[0];
  const name = `${object.kind} ${object.metadata.name ?? ""}`;
  throw new InvalidInput(
    `${file}: document ${document}: ${name}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "unreadable"}; dump it again with -o yaml`,
  );
}
