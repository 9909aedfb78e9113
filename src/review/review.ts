import jsonpatch from "jsonpatch";
import { admit } from "../admission/handler.ts";
import type { Verdict } from "../admission/handler.ts";
import { CODES } from "../admission/outcome.ts";
import type { AdmissionRequest } from "../admission/review.ts";
import { createSigner } from "../admission/signer.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { InvalidInput, KubernetesObject } from "./documents.ts";
import type { Manifest } from "./documents.ts";
import { createWorld } from "./world.ts";
import type { World } from "./world.ts";

/** What admission would make of one manifest. */
export interface Reviewed {
  readonly manifest: Manifest;
  readonly operation: "CREATE" | "UPDATE";
  readonly username: string;
  readonly verdict: Verdict;
  /** The code's meaning. */
  readonly meaning: string;
  /** As sent. */
  readonly before: KubernetesObject;
  /** As the API server would store it; the same in audit mode, where nothing is changed. */
  readonly after: KubernetesObject;
}

/** What to review, and under whose name. */
export interface ReviewOptions {
  readonly policy: RetentionPolicy;
  readonly policyLocation: string;
  /** Username for every manifest that does not name one; each kind's usual creator where undefined. */
  readonly as: string | undefined;
  /** Whether a retention controller runs; true where left out. */
  readonly controllerAlive?: boolean;
}

/**
 * On a manifest: who sends it, for files that tell a story with several accounts. It is taken off before the review.
 */
const AS_ANNOTATION = "review.snapshot-retainer.io/as";

/** Aliases are random in a cluster; here they count up, so that the same input gives the same output. */
const FIRST_ALIAS = "00000000-0000-4000-8000-";

/**
 * Sends manifests through the very code that answers the API server, in order: each becomes known to those after it.
 * A manifest of an object that came before is its UPDATE. Throws `InvalidInput` for one that cannot be read.
 */
export async function reviewManifests(
  manifests: readonly Manifest[],
  options: ReviewOptions,
): Promise<Reviewed[]> {
  const { policy, policyLocation } = options;
  // The key only has to be the same within one run.
  const signer = createSigner(Buffer.alloc(32));
  const world = createWorld(policy, signer);
  let aliases = 0;
  const context = {
    policy,
    policyLocation,
    signer,
    randomId: () => `${FIRST_ALIAS}${String((aliases += 1)).padStart(12, "0")}`,
    hasRetainSnapshotField: false,
    controllerAlive: options.controllerAlive ?? true,
    lookup: world,
    ownAccounts: [],
  };
  const reviewed: Reviewed[] = [];
  for (const manifest of manifests) {
    const { username, object } = whoSends(manifest.object, options);
    const request = requestOf(object, username, world);
    const verdict = await admit(request, context);
    if (verdict.outcome.code === "unreadable") {
      const { file, document } = manifest;
      throw new InvalidInput(
        `${file}: document ${document} (${object.kind}): ${verdict.outcome.warnings?.join("; ") ?? "unreadable"}`,
      );
    }
    const after = verdict.audited ? object : applied(object, verdict);
    world.put(after);
    const operation = request.operation === "UPDATE" ? "UPDATE" : "CREATE";
    const meaning = CODES[verdict.outcome.code];
    reviewed.push({ manifest, operation, username, verdict, meaning, before: object, after });
  }
  return reviewed;
}

function applied(object: KubernetesObject, { patch }: Verdict): KubernetesObject {
  return KubernetesObject.parse(jsonpatch.apply_patch(object, JSON.stringify(patch)));
}

function whoSends(
  object: KubernetesObject,
  options: ReviewOptions,
): { username: string; object: KubernetesObject } {
  const { [AS_ANNOTATION]: named, ...annotations } = object.metadata.annotations ?? {};
  const username = named ?? options.as ?? usualCreator(object, options.policy);
  if (named === undefined) {
    return { username, object };
  }
  const { annotations: _all, ...metadata } = object.metadata;
  const rest = Object.keys(annotations).length === 0 ? {} : { annotations };
  return { username, object: { ...object, metadata: { ...metadata, ...rest } } };
}

/** A person makes Backups, the snapshot-controller makes contents of snapshots, Velero makes everything else. */
function usualCreator(object: KubernetesObject, policy: RetentionPolicy): string {
  if (object.kind === "Backup") {
    return "kubernetes-admin";
  }
  if (object.kind === "VolumeSnapshotContent" && isDynamic(object)) {
    return "system:serviceaccount:kube-system:snapshot-controller";
  }
  const sao = policy.snapshotAssociatedObjects.find((entry) => entry.resource === resourceOf(object.kind));
  const account =
    sao?.accounts[0] ?? `system:serviceaccount:${policy.velero.namespaces[0] ?? "velero"}:velero`;
  return account.replaceAll("*", "default");
}

function isDynamic(object: KubernetesObject): boolean {
  return JSON.stringify(object["spec"] ?? {}).includes('"volumeHandle"');
}

function requestOf(object: KubernetesObject, username: string, world: World): AdmissionRequest {
  const [group, version] = object.apiVersion.includes("/")
    ? object.apiVersion.split("/")
    : ["", object.apiVersion];
  const oldObject = world.find(object);
  return {
    uid: "review",
    kind: { kind: object.kind },
    resource: { group: group ?? "", version: version ?? "", resource: resourceOf(object.kind) },
    name: object.metadata.name ?? "",
    namespace: object.metadata.namespace ?? "",
    operation: oldObject === undefined ? "CREATE" : "UPDATE",
    userInfo: { username },
    object,
    oldObject,
  };
}

/** The plural of a kind, by Kubernetes' own convention. */
function resourceOf(kind: string): string {
  return kind.toLowerCase().replace(/y$/, "ie").concat("s");
}
