import {
  OUR_DATA_MOVER,
  RESTORE_DECISION_ANNOTATION,
  RESTORE_SOURCE_ANNOTATION,
  VELERO_RESTORE_UID_LABEL,
} from "../../kube/keys.ts";
import { DataDownload, valueOf } from "../../kube/objects.ts";
import { writeSource } from "../../restore/source.ts";
import type { RestoreSource } from "../../restore/source.ts";
import { LookupFailed } from "../lookup.ts";
import type { Lookup, MovedData } from "../lookup.ts";
import { unchanged } from "../outcome.ts";
import type { Code, Outcome } from "../outcome.ts";
import { chooseRestore, snapshotOfUpload } from "../restore-choice.ts";
import type { RestoreFacts } from "../restore-choice.ts";
import { hasOtherMover } from "../retain.ts";
import type { Request, Rule, Surroundings } from "../rule.ts";

/**
 * A DataDownload of Velero's own data mover, by which a restore brings one volume back, becomes ours where the volume's
 * snapshot of that backup is retained and usable. It says where the volume comes from and why, in either case.
 */
export const dataDownloadRule: Rule<DataDownload, RestoreFacts> = {
  schema: DataDownload,
  gather,
  decide,
};

const NOTHING: RestoreFacts = { candidates: [], upload: undefined, results: [] };

/** Asks caches alone where no snapshot of the claim is retained: such a restore must not wait for us. */
function gather(
  request: Request<DataDownload>,
  lookup: Lookup,
  surroundings: Surroundings,
): RestoreFacts | Promise<RestoreFacts> {
  const data = dataOf(request.object);
  if (leftAs(request, surroundings) !== undefined || objectionOf(surroundings) !== undefined) {
    return NOTHING;
  }
  const candidates = lookup.retainedOf(data.claim);
  const upload = lookup.dataUploadOf(request.namespace, data);
  const known = { candidates, upload, results: [] };
  const told = snapshotOfUpload(upload, data, surroundings) !== undefined;
  const worthAsking = candidates.length > 0 || surroundings.policy.restore.acrossClusters;
  return told || !worthAsking ? known : withResults(known, request, lookup);
}

/** A backup that cannot be asked is no reason to leave the DataDownload without its decision. */
async function withResults(
  known: RestoreFacts,
  { namespace, object }: Request<DataDownload>,
  lookup: Lookup,
): Promise<RestoreFacts> {
  const restoreUid = valueOf(object.metadata.labels, VELERO_RESTORE_UID_LABEL) ?? "";
  try {
    const results = await lookup.dataUploadResults(namespace, { restoreUid, claim: dataOf(object).claim });
    return { ...known, results };
  } catch (error) {
    if (error instanceof LookupFailed) {
      return { ...known, problem: error.message };
    }
    throw error;
  }
}

/** What is restored: the claim may be restored into another namespace, its name stays. */
function dataOf({ spec }: DataDownload): MovedData {
  const { snapshotID = "", sourceNamespace = "", targetVolume } = spec;
  return { claim: { namespace: sourceNamespace, name: targetVolume.pvc }, snapshotID };
}

function decide(request: Request<DataDownload>, facts: RestoreFacts, surroundings: Surroundings): Outcome {
  const left = leftAs(request, surroundings);
  if (left !== undefined) {
    return unchanged(left);
  }
  const objection = objectionOf(surroundings);
  if (objection !== undefined) {
    return byDataMovement(objection);
  }
  const choice = chooseRestore(dataOf(request.object), facts, surroundings);
  return choice.kind === "retained"
    ? fromRetained(choice.source, request, surroundings)
    : byDataMovement(choice.why);
}

/** Why a request is nothing to us at all. */
function leftAs(
  { operation, account, namespace, object }: Request<DataDownload>,
  { policy }: Surroundings,
): Code | undefined {
  if (operation !== "CREATE") {
    return "not_handled";
  }
  if (!policy.velero.namespaces.includes(namespace) || account !== "velero") {
    return "not_ours";
  }
  if (object.spec.datamover === OUR_DATA_MOVER) {
    return "already_set";
  }
  return hasOtherMover(object) ? "other_data_mover" : undefined;
}

/** Why no volume at all is restored from a snapshot now. */
function objectionOf({ policy, controllerAlive }: Surroundings): string | undefined {
  if (!policy.restore.fromRetained) {
    return "the policy does not allow it";
  }
  return controllerAlive ? undefined : "no retention controller is running";
}

function fromRetained(
  source: RestoreSource,
  { namespace, object }: Request<DataDownload>,
  { signer }: Surroundings,
): Outcome {
  const origin = source.local ? `of backup ${source.backup ?? "of unknown name"}` : "of another cluster";
  const decision = `from retained snapshot ${source.name} ${origin}`;
  return {
    code: "restore_from_retained",
    edits: {
      annotations: {
        [RESTORE_DECISION_ANNOTATION]: decision,
        [RESTORE_SOURCE_ANNOTATION]: writeSource(source, { namespace, spec: object.spec }, signer),
      },
      spec: { datamover: OUR_DATA_MOVER },
    },
    audit: { reason: decision },
  };
}

function byDataMovement(why: string): Outcome {
  const decision = `by data movement: ${why}`;
  return {
    code: "restore_by_data_movement",
    edits: {
      annotations: { [RESTORE_DECISION_ANNOTATION]: decision, [RESTORE_SOURCE_ANNOTATION]: undefined },
    },
    audit: { reason: decision },
  };
}
