import * as z from "zod";
import { toSafeLabelValue } from "../../kube/label-value.ts";
import { Metadata } from "../../kube/objects.ts";
import { matchesGlob } from "../../policy/glob.ts";
import type { SnapshotAssociatedObject } from "../../policy/schema.ts";
import { editsOf, inheritanceOf } from "../inherit.ts";
import { readInherited } from "../inherited.ts";
import { textAt } from "../json-pointer.ts";
import type { KnownOriginal, Lookup } from "../lookup.ts";
import { describeOriginal } from "../original.ts";
import { unchanged } from "../outcome.ts";
import type { Outcome } from "../outcome.ts";
import { protect, removeForged, SNAPSHOT_KEYS } from "../protect.ts";
import type { Request, Rule, Surroundings } from "../rule.ts";

/** An object of another data mover plugin, whole, since the policy says where its facts stand. */
const SaoObject = z.looseObject({ metadata: z.looseObject(Metadata.shape) });
type SaoObject = z.infer<typeof SaoObject>;

/**
 * The same enforcement and inheritance for the snapshot associated objects of another data mover plugin: an
 * object with a new snapshot handle is an original, one that shares the handle of a known original is its clone.
 */
export function saoRule(config: SnapshotAssociatedObject): Rule<SaoObject, KnownOriginal | undefined> {
  return {
    schema: SaoObject,
    gather: async (request, lookup) => gather(config, request, lookup),
    decide: (request, original, surroundings) => decide(config, request, original, surroundings),
  };
}

async function gather(
  config: SnapshotAssociatedObject,
  request: Request<SaoObject>,
  lookup: Lookup,
): Promise<KnownOriginal | undefined> {
  const handle = textAt(request.object, config.snapshotHandle);
  return handle === undefined ? undefined : lookup.originalByHandle(config.name, handle);
}

function decide(
  config: SnapshotAssociatedObject,
  request: Request<SaoObject>,
  original: KnownOriginal | undefined,
  surroundings: Surroundings,
): Outcome {
  if (typeof request.object.metadata.deletionTimestamp === "string") {
    return unchanged("being_deleted");
  }
  if (request.operation === "UPDATE") {
    return protect(request, SNAPSHOT_KEYS, surroundings.policyLocation);
  }
  if (!config.accounts.some((glob) => matchesGlob(request.username, glob))) {
    return removeForged(request, surroundings.policyLocation) ?? unchanged("not_ours");
  }
  const { signer } = surroundings;
  const copied = readInherited(request.object.metadata, signer);
  // A document of another snapshot came along when a plugin made this object from a copy.
  const isSame = copied?.snapshot?.handle === textAt(request.object, config.snapshotHandle);
  const annotation = isSame ? copied : undefined;
  const inherited = inheritanceOf(config.name, { original, annotation, dataUpload: undefined });
  if (inherited !== undefined) {
    return { code: "inherited", edits: editsOf(inherited, signer) };
  }
  return decideOriginal(config, request, surroundings);
}

function decideOriginal(
  config: SnapshotAssociatedObject,
  request: Request<SaoObject>,
  { signer, randomId, policyLocation }: Surroundings,
): Outcome {
  const { object } = request;
  const namespace =
    config.volume.namespace === undefined ? undefined : textAt(object, config.volume.namespace);
  const name = textAt(object, config.volume.name);
  const handle = textAt(object, config.snapshotHandle);
  if (name === undefined || (namespace === undefined) !== (config.volume.namespace === undefined)) {
    const where = [config.volume.namespace, config.volume.name]
      .filter((pointer) => pointer !== undefined)
      .join(", ");
    const warning = `snapshot-retainer: no volume is named at ${where}, so this object gets no labels (snapshotAssociatedObjects "${config.name}", policy: ${policyLocation})`;
    return unchanged("identity_missing", warning);
  }
  const volume = namespace === undefined ? { name } : { namespace, name };
  const inherited = describeOriginal(
    {
      kind: config.name,
      volume,
      volumeName: toSafeLabelValue(namespace === undefined ? name : `${namespace}.${name}`),
      ...(handle === undefined ? {} : { snapshot: { driver: config.name, handle } }),
      labels: object.metadata.labels,
    },
    undefined,
    randomId,
  );
  return { code: "labelled", edits: editsOf(inherited, signer) };
}
